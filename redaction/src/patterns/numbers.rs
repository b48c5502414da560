//! Payment cards, bank accounts and social security numbers, with their checksums and rules.
//!
//! Source: ISO/IEC 7812-1 (Luhn), the issuers' ranges of numbers, ISO 13616 and the IBAN registry of SWIFT (lengths),
//! SSA POMS RM 10201 (numbers that were never given out).

use std::ops::Range;

use super::{Scan, after, before, expression, run, starts_with_ignoring_case};
use crate::text::{ends_escape, is_alnum};

expression!(CARD_WORDS, r"(?i)(?:card|visa|master|amex|discover|kreditkarte|carte|tarjeta|\bpan\b)");
expression!(SSN_WORDS, r"(?i)\b(?:ssn|social[ _-]?security)\b");

/// Groups of digits in which cards are written.
const LAYOUTS: [&[usize]; 7] = [&[16], &[15], &[14], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 4, 3]];

pub(super) fn cards(scan: &Scan<'_>) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in digit_starts(scan.text) {
        if found.last().is_none_or(|last| at >= last.end)
            && let Some(end) = end_of_card(scan, at)
        {
            found.push(at..end);
        }
    }
    found
}

/// Where a run of digits begins.
fn digit_starts(text: &str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).filter(move |at| is_digit(*at) && (*at == 0 || !is_digit(at - 1)))
}

fn end_of_card(scan: &Scan<'_>, start: usize) -> Option<usize> {
    let text = scan.text;
    if !begins_apart(text, start, ".-") {
        return None;
    }
    let (mut digits, mut groups, mut separator) = (Vec::new(), Vec::new(), None);
    let mut at = start;
    while groups.len() < 5 {
        let len = run(text.as_bytes(), at, |b| b.is_ascii_digit());
        if len == 0 || digits.len() + len > 19 {
            return None;
        }
        digits.extend(text.as_bytes()[at..at + len].iter().map(|digit| digit - b'0'));
        groups.push(len);
        at += len;
        let is_long = groups == [19] && CARD_WORDS.is_match(&scan.before(start, 40));
        if (is_long || LAYOUTS.contains(&groups.as_slice())) && ends_apart(text, at) && is_card(&digits) {
            return Some(at);
        }
        let c = after(text, at).filter(|c| matches!(c, ' ' | '\u{a0}' | '.' | '-'))?;
        if *separator.get_or_insert(c) != c {
            return None;
        }
        at += c.len_utf8();
    }
    None
}

/// Not within a number, an identifier or a longer run of groups.
fn begins_apart(text: &str, start: usize, joints: &str) -> bool {
    let head = &text[..start];
    let last = head.chars().next_back();
    let is_within = last.is_some_and(|c| c.is_alphanumeric() || c == '_') && !ends_escape(text, start);
    let is_joined = last.is_some_and(|c| joints.contains(c)) && is_alnum(head.chars().rev().nth(1));
    !is_within && !is_joined
}

fn ends_apart(text: &str, end: usize) -> bool {
    let mut rest = text[end..].chars();
    match rest.next() {
        Some(c) if c.is_alphanumeric() || c == '_' => false,
        Some('.' | '-') => !is_alnum(rest.next()),
        _ => true,
    }
}

fn is_card(digits: &[u8]) -> bool {
    let is_varied = digits.iter().any(|digit| *digit != digits[0]);
    is_varied && has_issuer(digits) && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let doubled = |(i, digit): (usize, &u8)| match (i % 2, u32::from(*digit) * 2) {
        (0, _) => u32::from(*digit),
        (_, twice) => twice / 10 + twice % 10,
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}

/// Visa, Mastercard, American Express, Discover, Diners and JCB.
fn has_issuer(digits: &[u8]) -> bool {
    let first = |len: usize| digits[..len].iter().fold(0, |number: u32, digit| number * 10 + u32::from(*digit));
    match digits.len() {
        16 | 19 if digits[0] == 4 => true,
        16 if matches!(first(2), 51..=55) || matches!(first(4), 2221..=2720 | 3528..=3589) => true,
        16 | 19 => {
            first(4) == 6011 || matches!(first(3), 644..=649) || first(2) == 65 || matches!(first(6), 622_126..=622_925)
        }
        15 => matches!(first(2), 34 | 37),
        14 => matches!(first(2), 36 | 38 | 39) || matches!(first(3), 300..=305),
        _ => false,
    }
}

/// Countries and the lengths of their account numbers.
const IBANS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 \
    FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 \
    MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 \
    TR26 UA29 VA22 VG24 XK20";

/// The end of the account number that begins here.
pub(super) fn end_of_iban(text: &str, start: usize) -> Option<usize> {
    let head = text.as_bytes().get(start..start + 4)?;
    if !head[2..].iter().all(u8::is_ascii_digit) || before(text, start) == Some('_') {
        return None;
    }
    let country = text.get(start..start + 2)?;
    let length = IBANS.split(' ').find(|known| starts_with_ignoring_case(known, country))?[2..].parse().ok()?;
    if is_alnum(before(text, start)) && !ends_escape(text, start) {
        return None;
    }
    let is_upper = head[..2].iter().all(u8::is_ascii_uppercase);
    let mut number = Vec::with_capacity(length);
    let mut end = start;
    let mut rest = text[start..].chars().peekable();
    while number.len() < length {
        let c = rest.next()?;
        let is_letter = if is_upper { c.is_ascii_uppercase() } else { c.is_ascii_lowercase() };
        if c.is_ascii_digit() || is_letter {
            number.push(c.to_digit(36)?);
        } else if !(is_upper
            && matches!(c, ' ' | '\u{a0}' | '-')
            && rest.peek().is_some_and(char::is_ascii_alphanumeric))
        {
            return None;
        }
        end += c.len_utf8();
    }
    let ends = after(text, end).is_none_or(|c| !c.is_alphanumeric() && c != '_');
    (ends && mod_97(&number) == 1).then_some(end)
}

/// The remainder, with the country and the check digits at the end.
fn mod_97(number: &[u32]) -> u32 {
    let turned = number[4..].iter().chain(&number[..4]);
    turned.fold(0, |rest, digit| (rest * if *digit > 9 { 100 } else { 10 } + digit) % 97)
}

pub(super) fn ssns(scan: &Scan<'_>) -> Vec<Range<usize>> {
    digit_starts(scan.text).filter_map(|at| end_of_ssn(scan, at).map(|end| at..end)).collect()
}

fn end_of_ssn(scan: &Scan<'_>, start: usize) -> Option<usize> {
    let text = scan.text;
    // Unlike a card, it may be joined to a name by `_`.
    if !begins_apart(text, start, "-.") && before(text, start) != Some('_') {
        return None;
    }
    let bytes = text.as_bytes();
    let mut at = start;
    let (mut digits, mut separators) = (String::new(), Vec::new());
    for len in [3, 2, 4] {
        if let (false, Some(separator @ (b' ' | b'-'))) = (digits.is_empty(), bytes.get(at)) {
            separators.push(*separator);
            at += 1;
        }
        if run(bytes, at, |b| b.is_ascii_digit()) < len {
            return None;
        }
        digits.push_str(&text[at..at + len]);
        at += len;
    }
    let mut rest = text[at..].chars();
    match (rest.next(), rest.next()) {
        (Some(c), _) if c.is_alphanumeric() => return None,
        (Some('-'), next) if is_alnum(next) => return None,
        (Some('.'), Some('0'..='9')) => return None,
        _ => {}
    }
    let (area, group, serial) = (&digits[..3], &digits[3..5], &digits[5..]);
    if matches!(area, "000" | "666") || area.starts_with('9') || group == "00" || serial == "0000" {
        return None;
    }
    let is_told = || SSN_WORDS.is_match(&scan.before(start, 40));
    match separators.as_slice() {
        [b'-', b'-'] => Some(at),
        [] | [b' ', b' '] => is_told().then_some(at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{cards, end_of_iban, luhn, mod_97, ssns};
    use crate::patterns::Scan;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|b| b - b'0').collect()
    }

    /// Numbers for tests that the issuers publish.
    #[test]
    fn luhn_holds_for_cards_and_for_no_neighbour() {
        for card in [
            "4111111111111111",
            "5555555555554444",
            "378282246310005",
            "6011111111111117",
            "30569309025904",
            "3530111333300000",
        ] {
            let mut card = digits(card);
            assert!(luhn(&card));
            for at in 0..card.len() {
                card[at] = (card[at] + 1) % 10;
                assert!(!luhn(&card), "{card:?}");
                card[at] = (card[at] + 9) % 10;
            }
        }
        assert!(luhn(&digits("79927398713")), "the example of the standard");
    }

    #[test]
    fn cards_stand_alone_and_in_groups() {
        for (text, found) in [
            ("4111 1111 1111 1111 12/27", Some(0..19)),
            ("card 4111-1111-1111-1111.", Some(5..24)),
            ("4111-1111 1111-1111", None),
            ("4111111111111112", None),
            ("x4111111111111111", None),
            ("00-4111 1111 1111 1111", None),
            ("4444444444444444", None),
            ("3782 822463 10005", Some(0..17)),
            ("9111111111111117", None),
        ] {
            assert_eq!(cards(&Scan::new(text, None)).first().cloned(), found, "{text}");
        }
    }

    /// The examples of the IBAN registry.
    #[test]
    fn accounts_have_a_remainder_of_one() {
        for iban in [
            "DE89370400440532013000",
            "GB82 WEST 1234 5698 7654 32",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "fr1420041010050500013m02606",
        ] {
            assert_eq!(end_of_iban(iban, 0), Some(iban.len()), "{iban}");
            assert_eq!(end_of_iban(&format!("{iban}1"), 0), None, "{iban} is too long");
            let other = iban.replacen(&iban[2..4], if &iban[2..4] == "11" { "12" } else { "11" }, 1);
            assert_eq!(end_of_iban(&other, 0), None, "{other}");
        }
        assert_eq!(end_of_iban("XX89370400440532013000", 0), None);
        assert_eq!(mod_97(&[3, 2, 1, 4, 2, 8, 2, 9, 1, 2, 3, 4, 5, 6, 9, 8, 7, 6, 5, 4, 3, 2, 1, 6, 1, 1, 8, 2]), {
            // Digit by digit, as one number.
            let turned = "2912345698765432161182".bytes().map(|b| u32::from(b - b'0'));
            "28".bytes()
                .map(|b| u32::from(b - b'0'))
                .chain(turned)
                .chain([3, 2, 1, 4])
                .fold(0, |rest, digit| (rest * 10 + digit) % 97)
        });
    }

    #[test]
    fn social_security_numbers_that_were_never_given_out_stay() {
        for (text, is) in [
            ("078-05-1120", true),
            ("ssn 078051120", true),
            ("078051120", false),
            ("000-12-3456", false),
            ("666-12-3456", false),
            ("912-34-5678", false),
            ("123-00-4567", false),
            ("123-45-0000", false),
            ("1234-56-7890", false),
            ("078-05-1120-3", false),
            ("social security: 078 05 1120", true),
        ] {
            assert_eq!(!ssns(&Scan::new(text, None)).is_empty(), is, "{text}");
        }
    }
}
