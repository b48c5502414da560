//! Decimals as whole numbers: no float takes part in an amount.

/// Decimals of a billionth.
pub(crate) const NANO_DIGITS: u32 = 9;

/// A decimal times a power of ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scaled {
    /// Half to even, if there is a remainder.
    pub(crate) rounded: i128,
    pub(crate) is_exact: bool,
}

/// Reads `-12.5`, without exponent or blanks, as 12.5 times ten to the power of `digits`.
/// `None` if it is none, or too large.
pub(crate) fn parse(text: &str, digits: u32) -> Option<Scaled> {
    let (is_negative, magnitude) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || magnitude.ends_with('.') {
        return None;
    }
    let kept = fraction.len().min(digits as usize);
    let (kept, lost) = fraction.split_at(kept);
    let mut rounded: i128 = 0;
    for byte in whole.bytes().chain(kept.bytes()) {
        rounded = rounded.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    rounded = rounded.checked_mul(10_i128.checked_pow(digits - kept.len() as u32)?)?;
    let is_exact = lost.bytes().all(|byte| byte == b'0');
    if is_over_half(lost).unwrap_or(rounded % 2 == 1) {
        rounded = rounded.checked_add(1)?;
    }
    Some(Scaled { rounded: if is_negative { -rounded } else { rounded }, is_exact })
}

/// Whether these decimals are more than a half; `None` if exactly.
fn is_over_half(decimals: &str) -> Option<bool> {
    let (first, rest) = decimals.as_bytes().split_first().unwrap_or((&b'0', &[]));
    match first {
        b'5' if rest.iter().all(|&byte| byte == b'0') => None,
        first => Some(*first >= b'5'),
    }
}

/// `value` divided by ten to the power of `digits`, without needless zeros.
pub(crate) fn text(value: i128, digits: u32) -> String {
    let unit = 10_u128.pow(digits);
    let (whole, fraction) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    let sign = if value < 0 { "-" } else { "" };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{fraction:0width$}", width = digits as usize);
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

/// `value` divided by `divisor`, half to even. Neither is negative.
pub(crate) fn divide_half_even(value: i128, divisor: i128) -> i128 {
    // A division of 64 bits takes a fraction of the time, and is enough for 9,000 dollars.
    let (quotient, remainder) = match (u64::try_from(value), u64::try_from(divisor)) {
        (Ok(value), Ok(divisor)) => ((value / divisor).into(), (value % divisor).into()),
        _ => (value / divisor, value % divisor),
    };
    match (remainder * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient % 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_rounded_half_to_even() {
        for (text, rounded, is_exact) in [
            ("2.5", 2, false),
            ("3.5", 4, false),
            ("2.50001", 3, false),
            ("2.49", 2, false),
            ("7.0", 7, true),
            ("-2.6", -3, false),
        ] {
            assert_eq!(parse(text, 0), Some(Scaled { rounded, is_exact }), "{text}");
        }
        for (value, divisor, quotient) in
            [(5, 2, 2), (7, 2, 4), (6, 4, 2), (10, 4, 2), (11, 4, 3), (9, 4, 2), (0, 3, 0)]
        {
            assert_eq!(divide_half_even(value, divisor), quotient, "{value} / {divisor}");
        }
    }

    #[test]
    fn what_is_too_long_is_no_number() {
        assert_eq!(parse(&"9".repeat(60), 9), None);
        assert_eq!(parse(&format!("0.{}", "3".repeat(400)), 2), Some(Scaled { rounded: 33, is_exact: false }));
    }
}
