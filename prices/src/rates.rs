use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use std::fmt;

use crate::decimal::{self, NANO_DIGITS};
use crate::{Error, ErrorKind};

/// More than a dollar for each token is a slip of the pen, and sums of products of what is less cannot overflow.
const MOST_USD: u64 = 1_000_000;

macro_rules! rates {
    ($($key:ident $name:literal,)+) => {
        /// What has a rate.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Key { $($key,)+ }

        impl Key {
            pub(crate) const ALL: &[Self] = &[$(Self::$key,)+];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$key => $name,)+ }
            }
        }
    };
}

rates! {
    Input "input",
    Output "output",
    CacheRead "cache_read",
    CacheWrite "cache_write",
    CacheWrite5m "cache_write_5m",
    CacheWrite1h "cache_write_1h",
    OutputReasoning "output_reasoning",
    InputAudio "input_audio",
    OutputAudio "output_audio",
    CacheReadAudio "cache_read_audio",
    InputImage "input_image",
    OutputImage "output_image",
    CacheReadImage "cache_read_image",
    InputVideo "input_video",
    OutputVideo "output_video",
    OutputCitation "output_citation",
    WebSearches "per_1k_web_searches",
    Requests "per_1k_requests",
}

/// What a model costs: US dollars for a million tokens, or for a thousand of what begins with `per_1k_`.
///
/// A number of a file that was read as a float goes in by `to_string`: the shortest decimal that means it, and so the one
/// that was written, as long as that has no more than 15 digits.
///
/// ```
/// use spandrel_prices::Rates;
///
/// let rates = Rates::from_texts([("input", "0.25"), ("output", "1.25")])?;
/// assert_eq!(rates.get("output").as_deref(), Some("1.25"));
/// # Ok::<(), spandrel_prices::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates {
    /// In billionths of a dollar. A few of the keys: a list takes less than a slot for each.
    values: Vec<(Key, u64)>,
}

impl Rates {
    /// No rates yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The rates of these names, each as a decimal in US dollars.
    ///
    /// # Errors
    ///
    /// As of [`Rates::set`].
    pub fn from_texts<'a>(rates: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut all = Self::new();
        for (key, usd) in rates {
            all.set(key, usd)?;
        }
        Ok(all)
    }

    /// Sets a rate: `input`, `output`, `cache_read`, `cache_write`, `cache_write_1h`, `output_reasoning`, `input_audio`, `output_audio`,
    /// `per_1k_web_searches`, …
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if there is no such rate (the error lists them), or the value is not a decimal from 0 to 1000000
    /// with at most nine decimals.
    pub fn set(&mut self, key: &str, usd: &str) -> Result<(), Error> {
        let Some(found) = Key::ALL.iter().copied().find(|known| known.name() == key) else {
            let known: Vec<_> = Key::ALL.iter().map(|known| known.name()).collect();
            let message = format!("there is no rate {key:?}; there are {}", known.join(", "));
            return Err(Error::new(ErrorKind::Invalid, message));
        };
        let scaled = decimal::parse(usd, NANO_DIGITS).filter(|scaled| scaled.is_exact);
        let most = i128::from(MOST_USD) * 10_i128.pow(NANO_DIGITS);
        let value = scaled
            .filter(|scaled| (0..=most).contains(&scaled.rounded))
            .and_then(|scaled| u64::try_from(scaled.rounded).ok());
        let value = value.ok_or_else(|| {
            let message = format!(
                "the rate {key} is {usd:?}; write US dollars as a decimal from 0 to {MOST_USD} with at most {NANO_DIGITS} decimals"
            );
            Error::new(ErrorKind::Invalid, message)
        })?;
        match self.values.iter_mut().find(|(known, _)| *known == found) {
            Some((_, old)) => *old = value,
            None => self.values.push((found, value)),
        }
        Ok(())
    }

    /// A rate as a decimal in US dollars.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<String> {
        self.iter().find(|(known, _)| *known == key).map(|(_, usd)| usd)
    }

    /// All rates by name, as decimals in US dollars.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.values.iter().map(|&(key, value)| (key.name(), decimal::text(i128::from(value), NANO_DIGITS)))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// A number as the text that was written.
pub(crate) struct Decimal(pub(crate) String);

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Decimal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a decimal in quotes")
            }

            fn visit_u64<E>(self, value: u64) -> Result<Decimal, E> {
                Ok(Decimal(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Decimal, E> {
                Ok(Decimal(value.to_string()))
            }

            // `arbitrary_precision` of serde_json would change numbers in the whole program. It is not needed: up to 15 digits and 22
            // decimals serde_json gives the nearest float (both operands of its one division are exact), and `Display`
            // writes the shortest decimal that means this float, without an exponent: the one that was read.
            fn visit_f64<E>(self, value: f64) -> Result<Decimal, E> {
                Ok(Decimal(value.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Decimal, E> {
                Ok(Decimal(value.to_owned()))
            }
        }

        deserializer.deserialize_any(Text)
    }
}

/// The rates of one call.
pub(crate) struct Effective([Option<u64>; Key::ALL.len()]);

impl Effective {
    pub(crate) fn none() -> Self {
        Self([None; Key::ALL.len()])
    }

    /// Takes these instead of what is there.
    pub(crate) fn overlay(&mut self, rates: &Rates) {
        for &(key, value) in &rates.values {
            self.0[key as usize] = Some(value);
        }
    }

    /// The first of these that there is.
    pub(crate) fn first(&self, keys: &[Key]) -> Option<u64> {
        keys.iter().find_map(|&key| self.0[key as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_they_were_written() {
        let text = r#"{"input": 0.0375, "output": "1.25", "cache_read": 0.003625, "cache_write": 3, "per_1k_web_searches": 1e1}"#;
        let numbers: std::collections::BTreeMap<String, Decimal> = serde_json::from_str(text).unwrap();
        let rates = Rates::from_texts(numbers.iter().map(|(key, Decimal(usd))| (key.as_str(), usd.as_str()))).unwrap();
        let expected = [
            ("cache_read", "0.003625"),
            ("cache_write", "3"),
            ("input", "0.0375"),
            ("output", "1.25"),
            ("per_1k_web_searches", "10"),
        ];
        assert_eq!(rates.iter().collect::<Vec<_>>(), expected.map(|(key, usd)| (key, usd.to_owned())));
    }

    #[test]
    fn every_decimal_of_up_to_six_places_survives_a_float() {
        for millionths in (0..2_000_000_u64).step_by(7) {
            let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
            let Decimal(read) = serde_json::from_str(&text).unwrap();
            assert_eq!(decimal::parse(&read, 6).unwrap().rounded, i128::from(millionths), "{text}");
        }
    }

    #[test]
    fn errors_say_what_would_do() {
        let mut rates = Rates::new();
        let error = rates.set("inptu", "1").unwrap_err().to_string();
        assert!(error.starts_with("there is no rate \"inptu\"; there are input, output, cache_read, "), "{error}");
        for usd in ["-1", "1e3", "0.0000000001", "1000001", "", "free", "NaN"] {
            let error = rates.set("input", usd).unwrap_err().to_string();
            let expected = "; write US dollars as a decimal from 0 to 1000000 with at most 9 decimals";
            assert_eq!(error, format!("the rate input is {usd:?}{expected}"));
        }
        assert!(rates.is_empty());
        assert!(serde_json::from_str::<Decimal>("true").is_err());
    }
}
