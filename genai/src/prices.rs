//! The table `[prices]` of the configuration.

use std::path::Path;

use spandrel::__private::nearest;
use spandrel_prices::{PriceTable, Rates};
use toml::{Table, Value};

use crate::Error;
use crate::mistakes::shown;
use crate::settings::Prices;

/// A file of prices in place of those that come with this crate, and prices of single models
/// before both.
pub(crate) fn read(text: &str) -> Result<Prices, Error> {
    let mut table: Table =
        text.parse().map_err(|error: toml::de::Error| Error::new(format!("[prices]: {}", error.message())))?;
    let file = match table.remove("file") {
        None => None,
        Some(Value::String(path)) => Some(path),
        Some(_) => {
            return Err(Error::new("[prices]: `file` must be the path of a file of prices").with_key("prices.file"));
        }
    };
    if file.is_none() && table.is_empty() {
        return Ok(Prices::Embedded);
    }
    let mut prices = match &file {
        None => PriceTable::embedded().clone(),
        Some(path) => PriceTable::from_file(Path::new(path))
            .map_err(|error| Error::new(format!("[prices]: {error}")).with_key("prices.file"))?,
    };
    for (model, rates) in table {
        let Value::Table(rates) = rates else {
            let meant = nearest(&model, ["file"]).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            let text = format!(
                "[prices]: {model:?} must be a table of US dollars per million tokens: {{ input = 2.5, output = 10 }}{meant}"
            );
            return Err(Error::new(text).with_key(format!("prices.{model}")));
        };
        let mut all = Rates::new();
        for (key, rate) in rates {
            let told = |text: String| {
                Error::new(format!("[prices.{model:?}]: {text}")).with_key(format!("prices.{model}.{key}"))
            };
            let rate = match rate {
                Value::Integer(rate) => rate.to_string(),
                Value::Float(rate) => rate.to_string(),
                Value::String(rate) => rate,
                other => return Err(told(format!("`{key}` must be a number, not {}", shown(&other)))),
            };
            all.set(&key, &rate).map_err(|error| told(with_meant(&key, &error.to_string())))?;
        }
        prices = prices.with_price(&model, all);
    }
    Ok(Prices::Own(Box::new(prices)))
}

/// Names the nearest rate, if the error lists those that there are.
fn with_meant(key: &str, error: &str) -> String {
    let Some((what, known)) = error.split_once("; there are ") else { return error.to_owned() };
    let meant = nearest(key, known.split(", ")).map(|meant| format!("; did you mean `{meant}`?"));
    format!("{what}{} there are {known}", meant.as_deref().unwrap_or(";"))
}
