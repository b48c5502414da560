//! Reading what may be anything.

use serde_json::Value;

/// The largest whole number below which a float has no neighbours that it could have been.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// A number of tokens. Whole floats are some, as Cohere sends such; texts, fractions and what is below 0 are none.
pub(super) fn count(value: &Value) -> Option<u64> {
    let whole = |number: &f64| number.fract() == 0.0 && (0.0..=MOST_EXACT).contains(number);
    value.as_u64().or_else(|| value.as_f64().filter(whole).map(|number| number as u64))
}

/// The first of these that is a number of tokens.
pub(super) fn first(block: &Value, keys: &[&str]) -> Option<u64> {
    keys.iter().find_map(|key| count(&block[*key]))
}

/// A text that says something.
pub(super) fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// All of them together; unknown ones count as nothing beside a known one.
pub(super) fn sum(counts: impl IntoIterator<Item = Option<u64>>) -> Option<u64> {
    let mut sum: Option<u64> = None;
    for count in counts.into_iter().flatten() {
        sum = Some(sum.unwrap_or(0).checked_add(count)?);
    }
    sum
}
