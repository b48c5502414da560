//! From the JSON of a price table to what the table is made of. `schema_version` 1.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::matcher::{MatchRule, Matcher, Pattern};
use crate::model::{Date, Model, Price, Variant};
use crate::rates::{Decimal, Rates};
use crate::time::{parse_date, parse_time};
use crate::{Error, ErrorKind};

const SCHEMA_VERSION: u64 = 1;

#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) id: Arc<str>,
    pub(crate) otel_names: Vec<String>,
    pub(crate) openinference_names: Vec<String>,
    pub(crate) url: Option<Pattern>,
    /// Places in the list of providers.
    pub(crate) fallbacks: Vec<usize>,
    pub(crate) models: Vec<Model>,
}

pub(crate) struct Contents {
    pub(crate) as_of: String,
    pub(crate) source: String,
    pub(crate) providers: Vec<Provider>,
}

// What decides about money is read strictly, so that a file with rules that this version does not know is refused.

#[derive(Deserialize)]
struct TableFile {
    as_of: String,
    currency: String,
    source: SourceFile,
    providers: Vec<ProviderFile>,
}

#[derive(Deserialize)]
struct SourceFile {
    name: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
struct ProviderFile {
    id: String,
    #[serde(default)]
    otel_provider_names: Vec<String>,
    #[serde(default)]
    openinference_providers: Vec<String>,
    api_url_regex: Option<String>,
    #[serde(default)]
    fallback_providers: Vec<String>,
    models: Vec<ModelFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    id: String,
    r#match: MatchRule,
    prices: Vec<PriceFile>,
    #[serde(default)]
    variants: Vec<VariantFile>,
    #[serde(default)]
    free: bool,
    context_window: Option<u64>,
    #[serde(default)]
    deprecated: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    from: Option<String>,
    daily_utc: Option<DailyFile>,
    usd: BTreeMap<String, Decimal>,
    #[serde(default)]
    tiers: Vec<TierFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantFile {
    when: BTreeMap<String, String>,
    from: Option<String>,
    daily_utc: Option<DailyFile>,
    usd: BTreeMap<String, Decimal>,
    #[serde(default)]
    tiers: Vec<TierFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DailyFile {
    start: String,
    end: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TierFile {
    input_tokens_over: u64,
    usd: BTreeMap<String, Decimal>,
}

pub(crate) fn read(text: &str) -> Result<Contents, Error> {
    /// Looked at first, as a file of another version may differ in anything else.
    #[derive(Deserialize)]
    struct Version {
        schema_version: Option<u64>,
    }

    let syntax = |error: serde_json::Error| {
        let message = format!("not a price table: {error}; prices/README.md of Spandrel has the format");
        Error::new(ErrorKind::Syntax, message)
    };
    let version: Version = serde_json::from_str(text).map_err(syntax)?;
    match version.schema_version {
        Some(SCHEMA_VERSION) => {}
        Some(other) => {
            let message = format!(
                "schema_version is {other}, and this program reads {SCHEMA_VERSION}; take a file of that version, or a newer program"
            );
            return Err(Error::new(ErrorKind::Syntax, message));
        }
        None => {
            let message = format!(
                "not a price table: it has no schema_version; a table begins with {{\"schema_version\": {SCHEMA_VERSION}, …"
            );
            return Err(Error::new(ErrorKind::Syntax, message));
        }
    }
    let file: TableFile = serde_json::from_str(text).map_err(syntax)?;
    contents(file)
}

fn contents(file: TableFile) -> Result<Contents, Error> {
    if file.currency != "USD" {
        return Err(invalid(format!("currency is {:?}; amounts can be in \"USD\" alone", file.currency)));
    }
    if parse_date(&file.as_of).is_none() {
        return Err(invalid(format!("as_of is {:?}; write a date such as 2026-11-21", file.as_of)));
    }
    let ids: Vec<_> = file.providers.iter().map(|provider| provider.id.clone()).collect();
    let providers = file.providers.into_iter().map(|provider| {
        let name = format!("provider {:?}", provider.id);
        self::provider(provider, &ids).map_err(|error| error.within(name))
    });
    let SourceFile { name, version } = file.source;
    let source = if version.is_empty() { name } else { format!("{name} {version}") };
    Ok(Contents { as_of: file.as_of, source, providers: providers.collect::<Result<_, _>>()? })
}

fn provider(file: ProviderFile, ids: &[String]) -> Result<Provider, Error> {
    if ids.iter().filter(|id| **id == file.id).count() > 1 {
        return Err(invalid("there are two of this id; give each its own"));
    }
    // As `match` of Python, which the patterns were written for: at the beginning, not anywhere.
    let url = file.api_url_regex.map(|pattern| Pattern::new(&format!("^(?:{pattern})"))).transpose();
    let url = url.map_err(|error| error.within("api_url_regex"))?;
    let place = |id: &String| {
        let missing = || invalid(format!("fallback_providers names {id:?}, and there are {}", ids.join(", ")));
        ids.iter().position(|known| known == id).ok_or_else(missing)
    };
    let fallbacks = file.fallback_providers.iter().map(place).collect::<Result<_, _>>()?;
    let id: Arc<str> = file.id.into();
    let models = file.models.into_iter().map(|model| {
        let name = format!("model {:?}", model.id);
        self::model(model, &id).map_err(|error| error.within(name))
    });
    Ok(Provider {
        otel_names: file.otel_provider_names,
        openinference_names: file.openinference_providers,
        url,
        fallbacks,
        models: models.collect::<Result<_, _>>()?,
        id,
    })
}

fn model(file: ModelFile, provider: &Arc<str>) -> Result<Model, Error> {
    let matcher = Matcher::new(file.r#match).map_err(|error| error.within("match"))?;
    if matcher.is_never() {
        return Err(invalid(
            "match is empty, so no call is priced by it; name the model, such as {\"eq\": [\"gpt-4o\"]}",
        ));
    }
    if file.prices.is_empty() && !file.free {
        return Err(invalid("prices is empty; give a price, or say \"free\": true"));
    }
    let prices = file.prices.into_iter().enumerate().map(|(at, price)| {
        let place = format!("prices[{at}]");
        self::price(price).map_err(|error| error.within(place))
    });
    let prices = prices.collect::<Result<_, _>>()?;
    let variants = file.variants.into_iter().enumerate().map(|(at, variant)| {
        let place = format!("variants[{at}]");
        self::variant(variant).map_err(|error| error.within(place))
    });
    Ok(Model {
        id: file.id,
        provider: Arc::clone(provider),
        matcher,
        prices,
        variants: variants.collect::<Result<_, _>>()?,
        is_free: file.free,
        is_deprecated: file.deprecated,
        context_window: file.context_window,
    })
}

fn variant(file: VariantFile) -> Result<Variant, Error> {
    if file.when.is_empty() {
        return Err(invalid("when is empty; say how the call was made, such as {\"processing\": \"batch\"}"));
    }
    let VariantFile { when, from, daily_utc, usd, tiers } = file;
    let price = price(PriceFile { from, daily_utc, usd, tiers })?;
    Ok(Variant { when: when.into_iter().collect(), price })
}

fn price(file: PriceFile) -> Result<Price, Error> {
    let from = file.from.map(|text| match parse_date(&text) {
        Some(day) => Ok(Date { day, text }),
        None => Err(invalid(format!("from is {text:?}; write a date such as 2026-11-21"))),
    });
    let time = |text: &str| {
        parse_time(text).ok_or_else(|| invalid(format!("daily_utc has {text:?}; write a time such as 16:30:00")))
    };
    let daily = file.daily_utc.map(|daily| Ok((time(&daily.start)?, time(&daily.end)?)));
    let mut tiers = Vec::with_capacity(file.tiers.len());
    for tier in file.tiers {
        let over = tier.input_tokens_over;
        tiers.push((over, rates(&tier.usd).map_err(|error| error.within(format!("tier over {over}")))?));
    }
    tiers.sort_by_key(|(over, _)| *over);
    Ok(Price { from: from.transpose()?, daily: daily.transpose()?, rates: rates(&file.usd)?, tiers })
}

fn rates(usd: &BTreeMap<String, Decimal>) -> Result<Rates, Error> {
    let rates = Rates::from_texts(usd.iter().map(|(key, Decimal(text))| (key.as_str(), text.as_str())))?;
    if rates.is_empty() {
        Err(invalid("usd is empty; give rates, such as {\"input\": 2.5, \"output\": 10}"))
    } else {
        Ok(rates)
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}
