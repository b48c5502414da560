//! The table `[prices]` of the configuration.

use std::path::Path;

use spandrel_prices::{PriceTable, Rates};
use toml::{Table, Value};

use crate::Error;
use crate::settings::Prices;

/// A file of prices in place of those that come with this crate, and prices of single models
/// before both.
pub(crate) fn read(text: &str) -> Result<Prices, Error> {
    let mut table: Table =
        text.parse().map_err(|error: toml::de::Error| Error::new(format!("[prices]: {}", error.message())))?;
    let file = match table.remove("file") {
        None => None,
        Some(Value::String(path)) => Some(path),
        Some(_) => return Err(Error::new("[prices]: `file` must be the path of a file of prices")),
    };
    if file.is_none() && table.is_empty() {
        return Ok(Prices::Embedded);
    }
    let mut prices = match &file {
        None => PriceTable::embedded().clone(),
        Some(path) => {
            PriceTable::from_file(Path::new(path)).map_err(|error| Error::new(format!("[prices]: {error}")))?
        }
    };
    for (model, rates) in table {
        let told = |error: String| Error::new(format!("[prices.{model:?}]: {error}"));
        let Value::Table(rates) = rates else {
            return Err(told(
                "must be a table of US dollars per million tokens: { input = 2.5, output = 10 }".to_owned(),
            ));
        };
        let rates = rates.into_iter().map(|(key, rate)| match rate {
            Value::Integer(rate) => Ok((key, rate.to_string())),
            Value::Float(rate) => Ok((key, rate.to_string())),
            Value::String(rate) => Ok((key, rate)),
            _ => Err(told(format!("`{key}` must be a number"))),
        });
        let rates = rates.collect::<Result<Vec<_>, Error>>()?;
        let rates = rates.iter().map(|(key, rate)| (key.as_str(), rate.as_str()));
        let rates = Rates::from_texts(rates).map_err(|error| told(error.to_string()))?;
        prices = prices.with_price(&model, rates);
    }
    Ok(Prices::Own(Box::new(prices)))
}
