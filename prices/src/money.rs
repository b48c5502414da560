use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use crate::decimal::{self, NANO_DIGITS};
use crate::{Error, ErrorKind};

/// An amount of money in billionths of a US dollar, exact.
///
/// Sums saturate: they end at some nine billion dollars, and never wrap.
///
/// ```
/// use spandrel_prices::NanoUsd;
///
/// let one: NanoUsd = "0.0028".parse()?;
/// assert_eq!(one, NanoUsd::new(2_800_000));
/// assert_eq!((one + one).to_string(), "0.0056");
/// # Ok::<(), spandrel_prices::Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoUsd(i64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The amount of that many billionths of a dollar.
    #[must_use]
    pub const fn new(billionths: i64) -> Self {
        Self(billionths)
    }

    /// In billionths of a dollar.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// In dollars, for attributes and charts. Do not sum these: add amounts, then convert.
    #[must_use]
    pub fn as_usd(self) -> f64 {
        // One division of two numbers that are exact up to nine million dollars: the nearest `f64`, which prints as the decimal.
        self.0 as f64 / 1e9
    }

    /// The nearest amount to what another service says it charged. `None` if that is no amount.
    pub(crate) fn reported(usd: f64) -> Option<Self> {
        if !usd.is_finite() || usd < 0.0 {
            return None;
        }
        // `Display` of `f64` is the shortest decimal that means this number, without an exponent: what stood in the answer.
        let scaled = decimal::parse(&usd.to_string(), NANO_DIGITS)?;
        i64::try_from(scaled.rounded).ok().map(Self)
    }
}

impl Add for NanoUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl<'a> Sum<&'a Self> for NanoUsd {
    fn sum<I: Iterator<Item = &'a Self>>(amounts: I) -> Self {
        amounts.copied().sum()
    }
}

/// Dollars as a decimal, without exponent and needless zeros: `0.0000003`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&decimal::text(i128::from(self.0), NANO_DIGITS))
    }
}

/// In dollars as well: `NanoUsd(0.0000003)`.
impl fmt::Debug for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NanoUsd({self})")
    }
}

/// Reads dollars as a decimal with at most nine decimals that count.
impl FromStr for NanoUsd {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let scaled = decimal::parse(text, NANO_DIGITS).filter(|scaled| scaled.is_exact);
        scaled.and_then(|scaled| i64::try_from(scaled.rounded).ok()).map(Self).ok_or_else(|| {
            let message = format!(
                "{text:?} is no amount of US dollars; write a decimal such as 0.0028, with at most nine decimals"
            );
            Error::new(ErrorKind::Invalid, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_print_as_decimals_and_come_back() {
        let cases = [(0, "0"), (1, "0.000000001"), (300, "0.0000003"), (7_500_000, "0.0075"), (-500_000_000, "-0.5")];
        let more = [
            (1_000_000_000, "1"),
            (12_034_000_000, "12.034"),
            (i64::MAX, "9223372036.854775807"),
            (i64::MIN, "-9223372036.854775808"),
        ];
        for (billionths, text) in cases.into_iter().chain(more) {
            assert_eq!(NanoUsd::new(billionths).to_string(), text);
            assert_eq!(text.parse(), Ok(NanoUsd::new(billionths)));
        }
        assert_eq!("0.00280".parse(), Ok(NanoUsd::new(2_800_000)));
        assert_eq!(format!("{:>8}", NanoUsd::new(7_500_000)), "  0.0075");
        assert_eq!(format!("{:?}", Some(NanoUsd::new(26_850_000))), "Some(NanoUsd(0.02685))");
        assert!((NanoUsd::new(300).as_usd() - 3e-7).abs() < 1e-20);
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "-", "1e-3", "0.0000000001", "1,5", "9223372036.854775808", "NaN", " 1", "1_000", "+1"] {
            let error = text.parse::<NanoUsd>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
        }
        let error = "1e-3".parse::<NanoUsd>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"1e-3\" is no amount of US dollars; write a decimal such as 0.0028, with at most nine decimals"
        );
    }

    #[test]
    fn sums_are_exact_and_end_at_the_greatest_amount() {
        let tenth: NanoUsd = "0.1".parse().unwrap();
        assert_eq!([tenth; 10].iter().sum::<NanoUsd>().to_string(), "1");
        let mut most = NanoUsd::new(i64::MAX);
        most += NanoUsd::new(1);
        assert_eq!(most, NanoUsd::new(i64::MAX));
    }

    #[test]
    fn reported_costs_are_taken_to_the_nearest_billionth() {
        assert_eq!(NanoUsd::reported(0.000_148_95), Some(NanoUsd::new(148_950)));
        assert_eq!(NanoUsd::reported(0.000_000_002_5), Some(NanoUsd::new(2)));
        assert_eq!(NanoUsd::reported(0.000_000_003_5), Some(NanoUsd::new(4)));
        assert_eq!(NanoUsd::reported(1e-300), Some(NanoUsd::ZERO));
        for nonsense in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(NanoUsd::reported(nonsense), None);
        }
    }
}
