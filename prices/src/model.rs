use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use crate::matcher::Matcher;
use crate::rates::{Effective, Rates};
use crate::time::{Moment, time_text};

/// A model with its prices.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(crate) id: String,
    /// The id of the provider that sells it.
    pub(crate) provider: Arc<str>,
    pub(crate) matcher: Matcher,
    /// In the order of the file: the last whose condition holds is the one.
    pub(crate) prices: Vec<Price>,
    /// The first that matches and names a rate gives it.
    pub(crate) variants: Vec<Variant>,
    pub(crate) is_free: bool,
    pub(crate) is_deprecated: bool,
    pub(crate) context_window: Option<u64>,
}

/// Rates, and when they are valid.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Price {
    pub(crate) from: Option<Date>,
    /// From and to, in seconds of the UTC day. It may go over midnight.
    pub(crate) daily: Option<(i64, i64)>,
    pub(crate) rates: Rates,
    /// By rising threshold: above it these rates are for all tokens of the call.
    pub(crate) tiers: Vec<(u64, Rates)>,
}

/// Rates for calls that are made in some way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Variant {
    /// Facts of the call with the values that they must have.
    pub(crate) when: Vec<(String, String)>,
    pub(crate) price: Price,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Date {
    pub(crate) day: i64,
    pub(crate) text: String,
}

impl Model {
    /// What the table calls it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The provider that sells it, as the table calls it.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Listed at no charge.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.is_free
    }

    /// Still there, and going to be switched off.
    #[must_use]
    pub fn is_deprecated(&self) -> bool {
        self.is_deprecated
    }

    /// How many tokens of input it takes.
    #[must_use]
    pub fn context_window(&self) -> Option<u64> {
        self.context_window
    }

    /// The rates of a usual, short call at that time.
    #[must_use]
    pub fn rates(&self, at: SystemTime) -> Option<&Rates> {
        self.price(at.into()).map(|price| &price.rates)
    }

    /// All that it costs: the condition in words (nothing, `from 2026-07-30`, `over 200000`, `batch`, …) and the rates
    /// that are valid then, the later before the earlier. Those of a condition leave rates that they do not name as they are.
    pub fn conditions(&self) -> impl Iterator<Item = (String, &Rates)> {
        let prices = self.prices.iter().map(|price| (&[][..], price));
        let variants = self.variants.iter().map(|variant| (&variant.when[..], &variant.price));
        prices.chain(variants).flat_map(|(when, price)| {
            let mut base = String::new();
            price.describe(when, &mut base);
            let mut all = vec![(base.trim_start_matches(", ").to_owned(), &price.rates)];
            for (over, rates) in &price.tiers {
                let text = format!("{base}, over {over}");
                all.push((text.trim_start_matches(", ").to_owned(), rates));
            }
            all
        })
    }

    /// What is valid at that time, before variants: the last whose condition holds, or else the first.
    fn price(&self, at: Moment) -> Option<&Price> {
        self.prices.iter().rev().find(|price| price.is_valid(at)).or_else(|| self.prices.first())
    }

    /// The rates for a call with so much input, and what led to them, appended to `rule`. `None` if the model has no price.
    pub(crate) fn effective<'a>(
        &self,
        at: Moment,
        input_tokens: Option<u64>,
        fact: impl Fn(&str) -> Option<&'a str>,
        rule: &mut String,
    ) -> Option<Effective> {
        let price = self.price(at)?;
        let mut rates = Effective::none();
        price.describe(&[], rule);
        price.apply(input_tokens, &mut rates, rule);
        let holds = |(key, value): &(String, String)| fact(key).is_some_and(|told| told.eq_ignore_ascii_case(value));
        let matching = |variant: &&Variant| variant.price.is_valid(at) && variant.when.iter().all(holds);
        // The first comes last, so that it wins.
        for variant in self.variants.iter().rev().filter(matching) {
            variant.price.describe(&variant.when, rule);
            variant.price.apply(input_tokens, &mut rates, rule);
        }
        Some(rates)
    }
}

impl Price {
    fn is_valid(&self, at: Moment) -> bool {
        let is_begun = self.from.as_ref().is_none_or(|from| at.day >= from.day);
        let is_hour = self.daily.is_none_or(|(start, end)| {
            let now = at.second_of_day;
            if start <= end { (start..end).contains(&now) } else { now >= start || now < end }
        });
        is_begun && is_hour
    }

    fn apply(&self, input_tokens: Option<u64>, rates: &mut Effective, rule: &mut String) {
        rates.overlay(&self.rates);
        let mut exceeded = None;
        for (over, tier) in &self.tiers {
            if input_tokens.is_some_and(|tokens| tokens > *over) {
                rates.overlay(tier);
                exceeded = Some(over);
            }
        }
        if let Some(over) = exceeded {
            let _ = write!(rule, ", over {over}");
        }
    }

    /// The condition in words, each with a comma before it.
    fn describe(&self, when: &[(String, String)], rule: &mut String) {
        for (_, value) in when {
            let _ = write!(rule, ", {value}");
        }
        if let Some(from) = &self.from {
            let _ = write!(rule, ", from {}", from.text);
        }
        if let Some((start, end)) = self.daily {
            let _ = write!(rule, ", {} to {} UTC", time_text(start), time_text(end));
        }
    }
}
