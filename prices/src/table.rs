use std::fmt;
use std::path::Path;
use std::sync::Arc;
#[cfg(feature = "embedded")]
use std::sync::LazyLock;

use crate::file::{self, Provider};
use crate::matcher::{MatchRule, Matcher, is_like};
use crate::model::{Model, Price};
use crate::names;
use crate::rates::Rates;
use crate::recent::Recent;
use crate::{Error, ErrorKind};

/// The provider of models that the program priced itself.
const CONFIGURED: &str = "configured";

/// What models cost: prices of a file, and before them those that the program gives itself.
///
/// Looking a model up costs some microseconds the first time, and then some tens of nanoseconds as the last thousand names are
/// kept. Nothing waits for another thread.
#[derive(Clone)]
pub struct PriceTable {
    as_of: Arc<str>,
    source: Arc<str>,
    /// Both, for an attribute.
    label: Arc<str>,
    providers: Arc<[Provider]>,
    /// Exact names first, then the longer patterns.
    own: Vec<Own>,
    recent: Recent<Found>,
}

/// A price that the program gave.
#[derive(Clone)]
struct Own {
    /// In lower case; `*` is anything.
    pattern: String,
    model: Model,
}

/// Where a model of some name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    place: Option<Place>,
    /// The name of the provider says who it is, so its URL does not matter.
    is_provider_known: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Own(usize),
    Table {
        provider: usize,
        model: usize,
        /// The provider that was asked, if it sells models of another.
        seller: usize,
    },
}

/// A model, and who sells it.
pub(crate) struct Sold<'a> {
    pub(crate) model: &'a Model,
    /// If it is not the provider that the model is listed under.
    pub(crate) seller: Option<&'a str>,
    pub(crate) is_own: bool,
}

impl PriceTable {
    /// The prices that come with this crate.
    ///
    /// They are indicative and not a bill: facts of genai-prices (MIT, Pydantic Services Inc.), taken on the day that
    /// [`as_of`](Self::as_of) says. The first call reads them, which takes milliseconds.
    #[cfg(feature = "embedded")]
    #[must_use]
    pub fn embedded() -> &'static Self {
        static TABLE: LazyLock<PriceTable> = LazyLock::new(|| {
            let text = include_str!("../model-prices.json");
            PriceTable::from_json(text).expect("tests read the table of the crate")
        });
        &TABLE
    }

    /// Reads a table in the format of `model-prices.json`, `schema_version` 1.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Syntax`] if it is not such JSON; [`ErrorKind::Invalid`] if a rate, a date or a rule cannot be used, with
    /// the provider and the model that has it.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let contents = file::read(text)?;
        Ok(Self {
            label: format!("{}, {}", contents.source, contents.as_of).into(),
            as_of: contents.as_of.into(),
            source: contents.source.into(),
            providers: contents.providers.into(),
            own: Vec::new(),
            recent: Recent::default(),
        })
    }

    /// Reads a table from a file, as [`from_json`](Self::from_json) does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Read`] if the file cannot be read, otherwise as there. Each begins with the path.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| Error::new(ErrorKind::Read, format!("the prices cannot be read: {error}")));
        text.and_then(|text| Self::from_json(&text)).map_err(|error| error.within(path.display()))
    }

    /// The table with a price that goes before all others: for the model of this name, of any provider, or with `*`
    /// for all names like it (`llama-*`), or for one provider (`azure/gpt-4o`).
    ///
    /// A name goes before a pattern, and a longer pattern before a shorter; the same again replaces the price.
    #[must_use]
    pub fn with_price(mut self, model_pattern: &str, rates: Rates) -> Self {
        let pattern = model_pattern.trim().to_lowercase();
        let matcher = Matcher::new(MatchRule { eq: vec![pattern.clone()], ..MatchRule::default() });
        let model = Model {
            id: model_pattern.trim().to_owned(),
            provider: CONFIGURED.into(),
            matcher: matcher.expect("no regular expression"),
            prices: vec![Price { rates, ..Price::default() }],
            variants: Vec::new(),
            is_free: false,
            is_deprecated: false,
            context_window: None,
        };
        self.own.retain(|own| own.pattern != pattern);
        self.own.push(Own { pattern, model });
        self.own
            .sort_by_key(|own| (own.pattern.contains('*'), std::cmp::Reverse(own.pattern.len()), own.pattern.clone()));
        self.recent = Recent::default();
        self
    }

    /// The model of that name, sold by that provider: any name of it, of `gen_ai.provider.name`, `llm.provider` or a library.
    ///
    /// `None` if one of them is not known, as a price of 0 would be wrong.
    #[must_use]
    pub fn find(&self, provider: &str, model: &str) -> Option<&Model> {
        self.sold(provider, model, None).map(|sold| sold.model)
    }

    /// All models, those that the program priced first, then provider by provider as in the file.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.own.iter().map(|own| &own.model).chain(self.providers.iter().flat_map(|provider| &provider.models))
    }

    /// The day on which the prices were taken: `2026-11-21`.
    #[must_use]
    pub fn as_of(&self) -> &str {
        &self.as_of
    }

    /// Where the prices are from: `genai-prices 0.2.3`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn label(&self) -> Arc<str> {
        Arc::clone(&self.label)
    }

    pub(crate) fn sold(&self, provider: &str, model: &str, base_url: Option<&str>) -> Option<Sold<'_>> {
        let by_name = self.recent.get_or_insert_with(provider, model, || {
            self.search(provider, names::find(&self.providers, provider), model)
        });
        let found = match (by_name, base_url) {
            (Found { place: None, is_provider_known: false }, Some(url)) => {
                self.recent.get_or_insert_with(url, model, || {
                    self.search(provider, names::find_by_url(&self.providers, url), model)
                })
            }
            (found, _) => found,
        };
        Some(match found.place? {
            Place::Own(at) => Sold { model: &self.own[at].model, seller: None, is_own: true },
            Place::Table { provider, model, seller } => Sold {
                model: &self.providers[provider].models[model],
                seller: (seller != provider).then(|| &*self.providers[seller].id),
                is_own: false,
            },
        })
    }

    fn search(&self, name: &str, provider: Option<usize>, model: &str) -> Found {
        let model = model.trim().to_lowercase();
        let place = self.own_place(name, provider, &model).or_else(|| {
            // The name as it is; with its date written otherwise; and without what some APIs put before it (`models/`, an ARN).
            let dated = with_dashed_date(&model);
            let bare = model.rsplit_once('/').map(|(_, bare)| bare.to_owned());
            let mut spellings = std::iter::once(model.clone()).chain(dated).chain(bare);
            spellings.find_map(|model| self.table_place(provider?, &model))
        });
        Found { place, is_provider_known: provider.is_some() }
    }

    fn own_place(&self, name: &str, provider: Option<usize>, model: &str) -> Option<Place> {
        if self.own.is_empty() {
            return None;
        }
        let id = provider.map_or(name, |at| &*self.providers[at].id);
        let qualified = [format!("{}/{model}", name.trim().to_lowercase()), format!("{id}/{model}")];
        let is_it =
            |own: &Own| is_like(&own.pattern, model) || qualified.iter().any(|name| is_like(&own.pattern, name));
        self.own.iter().position(is_it).map(Place::Own)
    }

    fn table_place(&self, seller: usize, model: &str) -> Option<Place> {
        // One step, as the fallbacks of a fallback sell other things.
        let sources = std::iter::once(seller).chain(self.providers[seller].fallbacks.iter().copied());
        sources.into_iter().find_map(|provider| {
            let found = self.providers[provider].models.iter().position(|known| known.matcher.hits(model))?;
            Some(Place::Table { provider, model: found, seller })
        })
    }
}

impl fmt::Debug for PriceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("PriceTable");
        text.field("source", &self.source).field("as_of", &self.as_of).field("models", &self.models().count());
        text.finish_non_exhaustive()
    }
}

/// `gpt-5.2-20251211` as `gpt-5.2-2025-12-11`, which is what some gateways make of it.
fn with_dashed_date(model: &str) -> Option<String> {
    let is_end = |rest: &str| rest.is_empty() || rest.starts_with(['-', ':']);
    model.match_indices('-').find_map(|(at, _)| {
        let (before, after) = (&model[..at], &model[at + 1..]);
        let date =
            after.get(..8).filter(|date| date.bytes().all(|byte| byte.is_ascii_digit()) && is_end(&after[8..]))?;
        let dashed = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
        crate::time::parse_date(&dashed).filter(|_| date.starts_with("20"))?;
        Some(format!("{before}-{dashed}{}", &after[8..]))
    })
}

#[cfg(test)]
mod tests;
