use std::sync::Arc;
use std::time::SystemTime;

use crate::decimal::divide_half_even;
use crate::rates::{Effective, Key};
use crate::table::PriceTable;
use crate::{NanoUsd, Usage};

/// Rates are for a million tokens.
const TOKENS: i128 = 1_000_000;

/// A call of a model, as far as its price depends on it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Call<'a> {
    /// Any name of the provider: of `gen_ai.provider.name`, `llm.provider` or a library.
    pub provider: &'a str,
    /// The model that answered, or that was asked.
    pub model: &'a str,
    /// What it used.
    pub usage: &'a Usage,
    /// When the call was made; prices have dates, and some have times of day.
    pub at: SystemTime,
    /// `flex`, `priority`, `batch`, … as the provider says it.
    pub service_tier: Option<&'a str>,
    /// `fast`, of providers that sell speed apart from the service tier.
    pub speed: Option<&'a str>,
    /// Made through a batch API, which costs less.
    pub batch: bool,
    /// Where it was made: tells the provider if its name does not.
    pub base_url: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// A usual call, made now.
    #[must_use]
    pub fn new(provider: &'a str, model: &'a str, usage: &'a Usage) -> Self {
        Self {
            provider,
            model,
            usage,
            at: SystemTime::now(),
            service_tier: None,
            speed: None,
            batch: false,
            base_url: None,
        }
    }

    /// What is known of the call under the names that tables use. Others are unknown, and what asks for them does not hold.
    fn fact(&self, key: &str) -> Option<&'a str> {
        let is_batch = self.batch || self.service_tier.is_some_and(|tier| tier.eq_ignore_ascii_case("batch"));
        match key {
            "processing" => is_batch.then_some("batch"),
            "service_tier" => self.service_tier,
            "speed" => self.speed,
            _ => None,
        }
    }
}

/// What a call cost, and why.
///
/// `total` is the exact sum, rounded once to a billionth of a dollar, half to even. `input` is the exact cost of the input, rounded
/// likewise, and `output` is the rest without the fees; so `input + output + fees = total` always, and `output` is at
/// most one billionth from what it would be if rounded by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cost {
    /// Of the input, cached or not.
    pub input: NanoUsd,
    /// Of the output.
    pub output: NanoUsd,
    /// What is not for tokens: searches of the web, and the call itself where that costs.
    pub fees: NanoUsd,
    /// All of it.
    pub total: NanoUsd,
    /// The model and the conditions that held: `openai/gpt-5.4, over 272000, batch, from 2026-10-14`. The same call with the same table
    /// gives the same text.
    pub rule: String,
    price_table: Arc<str>,
}

impl Cost {
    /// Where the prices are from and the day on which they were taken: `genai-prices 0.2.3, 2026-11-21`; or `configuration`, for prices
    /// that the program gave.
    #[must_use]
    pub fn price_table(&self) -> &str {
        &self.price_table
    }
}

impl PriceTable {
    /// What the call cost. `None` if that is not known, which is not the same as 0:
    ///
    /// - no model of that name is known for the provider;
    /// - the number of tokens in or out is unknown; output alone may be, where the model has no price for it (embeddings);
    /// - there is output, and the price that the program gave has no rate for it;
    /// - the counts contradict each other, such as more cached input than input; or the amount is beyond all reason.
    ///
    /// A model listed as free costs 0 whatever it used.
    ///
    /// ```
    /// # #[cfg(feature = "embedded")] {
    /// use spandrel_prices::{Call, PriceTable, Usage};
    ///
    /// let usage = Usage::new(1_000, 500);
    /// let cost = PriceTable::embedded().cost(&Call::new("openai", "gpt-4o", &usage)).unwrap();
    /// assert_eq!(cost.total.to_string(), "0.0075");
    /// assert!(PriceTable::embedded().cost(&Call::new("openai", "my-own", &usage)).is_none());
    /// # }
    /// ```
    #[must_use]
    pub fn cost(&self, call: &Call<'_>) -> Option<Cost> {
        let sold = self.sold(call.provider, call.model, call.base_url)?;
        let price_table = if sold.is_own { "configuration".into() } else { self.label() };
        let mut rule = String::with_capacity(96);
        rule.extend([sold.model.provider(), "/", sold.model.id()]);
        if let Some(seller) = sold.seller {
            rule.extend([" by ", seller]);
        }
        if sold.model.is_free() {
            rule.push_str(", free");
            let nothing = NanoUsd::ZERO;
            return Some(Cost { input: nothing, output: nothing, fees: nothing, total: nothing, rule, price_table });
        }
        // What another seller takes for a batch says nothing about this one.
        let fact = |key: &str| if sold.seller.is_none() { call.fact(key) } else { None };
        let rates = sold.model.effective(call.at.into(), call.usage.input_tokens, fact, &mut rule)?;
        let input = input(call.usage, &rates)?;
        let output = output(call.usage, &rates, sold.is_own)?;
        let fees = fees(call.usage, &rates);
        let total = input.checked_add(output)?.checked_add(fees)?;
        // Rounding never turns the order around, so no difference is below 0.
        let [input, with_output, total] =
            [input, input + output, total].map(|exact| i64::try_from(divide_half_even(exact, TOKENS)).ok());
        let (input, with_output, total) = (input?, with_output?, total?);
        Some(Cost {
            input: NanoUsd::new(input),
            output: NanoUsd::new(with_output - input),
            fees: NanoUsd::new(total - with_output),
            total: NanoUsd::new(total),
            rule,
            price_table,
        })
    }
}

/// Counts with their rates, summed exactly in billionths of a dollar for a million.
///
/// A count is below 2^64 and a rate below 2^50, so some thousand such products fit.
struct Sum(i128);

impl Sum {
    /// Adds so many tokens at the first of these rates that there is. `None` if there is none, or if the tokens are fewer than 0.
    fn add(&mut self, tokens: Option<u64>, rates: &Effective, keys: &[Key]) -> Option<()> {
        match tokens? {
            0 => {}
            tokens => self.0 += i128::from(tokens) * i128::from(rates.first(keys)?),
        }
        Some(())
    }
}

/// The parts of the input at their rates: audio, images, cache, and what is left.
fn input(usage: &Usage, rates: &Effective) -> Option<i128> {
    let mut rest = Some(usage.input_tokens?);
    let mut cache_read = usage.cache_read_tokens.or(Some(0));
    let of_hour = usage.cache_write_1h_tokens.unwrap_or(0);
    let cache_write = usage.cache_write_tokens.unwrap_or(of_hour);
    let mut sum = Sum(0);
    let audio = (usage.input_audio_tokens, usage.cache_read_audio_tokens, Key::InputAudio, Key::CacheReadAudio);
    let image = (usage.input_image_tokens, usage.cache_read_image_tokens, Key::InputImage, Key::CacheReadImage);
    for (tokens, cached, key, cached_key) in [audio, image] {
        let cached = cached.unwrap_or(0);
        cache_read = less(cache_read, cached);
        rest = less(rest, cached);
        sum.add(Some(cached), rates, &[cached_key, Key::CacheRead, Key::Input])?;
        // Without a rate of its own a kind of token costs what text costs.
        if let Some(tokens) = tokens.filter(|&tokens| tokens > 0 && rates.first(&[key]).is_some()) {
            let uncached = tokens.checked_sub(cached)?;
            sum.add(Some(uncached), rates, &[key])?;
            rest = less(rest, uncached);
        }
    }
    rest = less(less(rest, cache_read?), cache_write);
    sum.add(rest, rates, &[Key::Input])?;
    sum.add(cache_read, rates, &[Key::CacheRead, Key::Input])?;
    sum.add(less(Some(cache_write), of_hour), rates, &[Key::CacheWrite5m, Key::CacheWrite, Key::Input])?;
    sum.add(Some(of_hour), rates, &[Key::CacheWrite1h, Key::CacheWrite, Key::Input])?;
    Some(sum.0)
}

/// The parts of the output at their rates: audio, images, reasoning, and what is left.
fn output(usage: &Usage, rates: &Effective, is_own: bool) -> Option<i128> {
    let has_rate = rates.first(&[Key::Output]).is_some();
    // A table is complete: what has no price of output there (embeddings) is sold by its input. What the program gave may lack it.
    let tokens = match usage.output_tokens {
        Some(tokens) if has_rate || is_own => tokens,
        None if has_rate => return None,
        _ => return Some(0),
    };
    let mut rest = Some(tokens);
    let mut sum = Sum(0);
    for (tokens, key) in [(usage.output_audio_tokens, Key::OutputAudio), (usage.output_image_tokens, Key::OutputImage)]
    {
        if let Some(tokens) = tokens.filter(|_| rates.first(&[key]).is_some()) {
            sum.add(Some(tokens), rates, &[key])?;
            rest = less(rest, tokens);
        }
    }
    let reasoning = usage.reasoning_tokens.unwrap_or(0);
    sum.add(Some(reasoning), rates, &[Key::OutputReasoning, Key::Output])?;
    sum.add(less(rest, reasoning), rates, &[Key::Output])?;
    if rates.first(&[Key::OutputCitation]).is_some() {
        sum.add(usage.citation_tokens.or(Some(0)), rates, &[Key::OutputCitation])?;
    }
    Some(sum.0)
}

/// What is sold by the thousand. A call is one request.
fn fees(usage: &Usage, rates: &Effective) -> i128 {
    let of = |count: u64, key: Key| i128::from(count) * i128::from(rates.first(&[key]).unwrap_or(0)) * (TOKENS / 1000);
    of(1, Key::Requests) + of(usage.web_searches.unwrap_or(0), Key::WebSearches)
}

fn less(tokens: Option<u64>, part: u64) -> Option<u64> {
    tokens?.checked_sub(part)
}

#[cfg(test)]
mod tests;
