//! Hexadecimal digits. Those of the contracts take lower case alone and go digit by digit;
//! these are for every request.

use spandrel_plugin_api::{SpanId, TraceId};

/// A trace id of exactly 32 lower-case digits, not all zero.
pub(crate) fn trace_id(digits: &[u8; 32]) -> Option<TraceId> {
    decode(digits).map(TraceId::from_bytes).filter(|id| id.is_valid())
}

/// A span id of exactly 16 lower-case digits, not all zero.
pub(crate) fn span_id(digits: &[u8; 16]) -> Option<SpanId> {
    decode(digits).map(SpanId::from_bytes).filter(|id| id.is_valid())
}

/// A trace id of 1 to 32 digits in any case, not all zero. What is missing in front is zero.
pub(crate) fn padded_trace_id(digits: &str) -> Option<TraceId> {
    let id = match digits.as_bytes().try_into() {
        Ok(all) => decode_any_case::<32, 16>(all),
        Err(_) => padded(digits),
    };
    id.map(TraceId::from_bytes).filter(|id| id.is_valid())
}

/// A span id of 1 to 16 digits in any case, not all zero. What is missing in front is zero.
pub(crate) fn padded_span_id(digits: &str) -> Option<SpanId> {
    let id = match digits.as_bytes().try_into() {
        Ok(all) => decode_any_case::<16, 8>(all),
        Err(_) => padded(digits),
    };
    id.map(SpanId::from_bytes).filter(|id| id.is_valid())
}

/// Two lower-case digits. The parsers of `std` take signs and upper case.
pub(crate) fn byte([high, low]: [u8; 2]) -> Option<u8> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    Some(value(high)? << 4 | value(low)?)
}

/// At most `2 * BYTES` digits in any case, right-aligned.
pub(crate) fn padded<const BYTES: usize>(digits: &str) -> Option<[u8; BYTES]> {
    if digits.is_empty() || digits.len() > 2 * BYTES {
        return None;
    }
    let mut bytes = [0; BYTES];
    for (at, digit) in digits.bytes().rev().enumerate() {
        let value = u8::try_from(char::from(digit).to_digit(16)?).ok()?;
        bytes[BYTES - 1 - at / 2] |= value << (4 * (at % 2));
    }
    Some(bytes)
}

/// The 32 lower-case digits of a trace id.
pub(crate) fn of_trace_id(id: TraceId) -> [u8; 32] {
    encode(id.to_bytes())
}

/// The 16 lower-case digits of a span id.
pub(crate) fn of_span_id(id: SpanId) -> [u8; 16] {
    encode(id.to_bytes())
}

/// Two lower-case digits.
pub(crate) fn of_byte(byte: u8) -> [u8; 2] {
    [digit(byte >> 4), digit(byte & 15)]
}

/// Two steps and no branch, so that the compiler does many at once.
fn encode<const BYTES: usize, const DIGITS: usize>(bytes: [u8; BYTES]) -> [u8; DIGITS] {
    let mut digits = [0; DIGITS];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = byte >> 4;
        pair[1] = byte & 15;
    }
    digits.map(digit)
}

/// As [`decode`], in any case.
pub(crate) fn decode_any_case<const DIGITS: usize, const BYTES: usize>(digits: &[u8; DIGITS]) -> Option<[u8; BYTES]> {
    decode(&digits.map(|digit| digit.to_ascii_lowercase()))
}

/// Written without a branch or a table, for the same reason.
fn decode<const DIGITS: usize, const BYTES: usize>(digits: &[u8; DIGITS]) -> Option<[u8; BYTES]> {
    let mut values = [0; DIGITS];
    let mut malformed = 0;
    for (value, digit) in values.iter_mut().zip(digits) {
        let number = digit.wrapping_sub(b'0');
        let letter = digit.wrapping_sub(b'a');
        *value = if number < 10 { number } else { letter.wrapping_add(10) };
        malformed |= u8::from(number >= 10) & u8::from(letter >= 6);
    }
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(values.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    (malformed == 0).then_some(bytes)
}

const fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' - 10 + value }
}

#[cfg(test)]
mod tests {
    use super::{byte, decode_any_case, of_byte, padded};

    #[test]
    fn two_digits_are_a_byte_if_they_are_lower_case() {
        for value in 0..=u8::MAX {
            let text = format!("{value:02x}");
            let digits = [text.as_bytes()[0], text.as_bytes()[1]];
            assert_eq!(byte(digits), Some(value));
            assert_eq!(of_byte(value), digits);
        }
        for other in 0..=u8::MAX {
            let is_digit = other.is_ascii_digit() || (b'a'..=b'f').contains(&other);
            assert_eq!(byte([b'0', other]).is_some(), is_digit, "{other:#04x} last");
            assert_eq!(byte([other, b'0']).is_some(), is_digit, "{other:#04x} first");
        }
    }

    #[test]
    fn missing_digits_are_zero() {
        for (text, expected) in [
            ("1", Some([0, 0, 0, 1])),
            ("ABc", Some([0, 0, 0x0a, 0xbc])),
            ("12345678", Some([0x12, 0x34, 0x56, 0x78])),
            ("", None),
            ("123456789", None),
            ("+1", None),
            ("0x1", None),
            ("é", None),
        ] {
            assert_eq!(padded::<4>(text), expected, "{text}");
            if let Ok(all) = text.as_bytes().try_into() {
                assert_eq!(decode_any_case::<8, 4>(all), expected, "{text}");
            }
        }
        // Setting the bit of lower case makes digits of some control characters.
        assert_eq!(decode_any_case::<2, 1>(b"\x10\x11"), None);
        assert_eq!(decode_any_case::<2, 1>(b"Fa"), Some([0xfa]));
    }
}
