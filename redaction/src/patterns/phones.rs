//! Telephone numbers: with a country code anywhere, national ones where they look like some, or behind a word for them.
//!
//! Source: ITU-T E.164 with its list of country codes (2025), NANP (area codes and exchanges), numbering plans of Germany, the United
//! Kingdom and France.

use std::ops::Range;

use super::{Scan, after, before, each, expression};
use crate::text::is_alnum;

expression!(INTERNATIONAL, r"(?:\+|%2[Bb]|00)[1-9](?:[ \x{a0}./-]{0,3}\(?[0-9]\)?){7,16}");
expression!(AMERICAN, r"(?:1[ .-])?\(?[2-9][0-9]{2}\)?[ .-]?[2-9][0-9]{2}[ .-]?[0-9]{4}");
expression!(NATIONAL, r"\(?0[1-9](?:[ \x{a0}./-]{0,3}\(?[0-9]\)?){7,10}");
expression!(
    TELEPHONE,
    r"(?i)(?:\b(?:phone|tel|telephone|telefon|tel\.|mobile|mobil|cell|cellphone|fax|whatsapp|sms|hotline|handy|handynummer|rufnummer|telefonnummer|téléphone|portable|numéro|móvil|dial|dialed|dialled|caller|callback)\b|\b(?:call|ring|text|dial)\s+$|\b(?:call|ring|text|reach|appelez|joindre|ruf|rufen|contact)[ -](?:me|us|him|her|them|at|on|back|moi|nous|mich|uns|sie)\b)"
);
expression!(
    IDENTIFIER,
    r#"(?i)(?:\b(?:order|invoice|ticket|ref|reference|case|part|sku|serial|isbn|issn|item|id|no|nr|article|model|doi|patent|build|batch|lot|tracking|account)\b|#)[\s:#.="'-]*$"#
);

/// Country codes, and how many digits numbers of some have with them.
const COUNTRIES: &str = " 1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 \
    211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238 239 240 241 242 243 244 245 248 249 250 251 \
    252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269 290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 \
    373 374 375 376 377 378 380 381 382 383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 \
    598 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 850 852 853 855 856 870 880 886 960 961 962 \
    963 964 965 966 967 968 970 971 972 973 974 975 976 977 979 992 993 994 995 996 998 ";
const LENGTHS: [(&str, usize, usize); 9] = [
    ("44", 11, 12),
    ("33", 11, 11),
    ("49", 9, 14),
    ("34", 11, 11),
    ("61", 11, 11),
    ("91", 12, 12),
    ("81", 11, 12),
    ("7", 11, 11),
    ("86", 12, 13),
];

pub(super) fn find(scan: &Scan<'_>) -> Vec<Range<usize>> {
    let mut found = each(&INTERNATIONAL, scan.text, |range| international(scan, range));
    found.extend(each(&AMERICAN, scan.text, |range| american(scan, range)));
    found.extend(each(&NATIONAL, scan.text, |range| national(scan, range)));
    found
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn is_told(scan: &Scan<'_>, at: usize) -> bool {
    TELEPHONE.is_match(&scan.before(at, 40))
}

/// Not part of a longer number or name.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let mut head = text[..range.start].chars().rev();
    let begins = match (head.next(), head.next()) {
        (Some(c), _) if c.is_alphanumeric() || "_+#@".contains(c) => false,
        (Some('-' | '.' | '/'), next) => !is_alnum(next),
        _ => true,
    };
    let mut rest = text[range.end..].chars();
    let ends = match (rest.next(), rest.next()) {
        (Some(c), _) if c.is_alphanumeric() || "_@".contains(c) => false,
        (Some('-' | '.' | '/' | ':'), Some(c)) => !c.is_ascii_digit(),
        _ => true,
    };
    begins && ends
}

/// Area and exchange do not begin with 0 or 1 nor end with 11.
fn is_american(digits: &str) -> bool {
    let is = |part: &str| matches!(part.as_bytes()[0], b'2'..=b'9') && !part.ends_with("11");
    digits.len() == 10 && is(&digits[..3]) && is(&digits[3..6])
}

fn international(scan: &Scan<'_>, range: Range<usize>) -> Option<Range<usize>> {
    let text = scan.text;
    let number = &text[range.clone()];
    let is_encoded = number.starts_with('%');
    let head = &text[..range.start];
    let mut all = digits(if is_encoded { &number[3..] } else { number });
    if is_encoded {
        let follows_escape = ["%20", "%3A", "%3D"].iter().any(|escape| head.ends_with(escape));
        if is_alnum(before(text, range.start)) && !follows_escape {
            return None;
        }
    } else if !stands_alone(text, &range) {
        return None;
    }
    if number.starts_with("00") {
        all.drain(..2);
        let follows_number =
            head.ends_with([',', ' ', '-', '.', '/']) && head.chars().rev().nth(1).is_some_and(|c| c.is_ascii_digit());
        let is_plain = number.bytes().all(|b| b.is_ascii_digit());
        if (follows_number || is_plain) && !is_told(scan, range.start) {
            return None;
        }
    }
    if !(8..=15).contains(&all.len()) {
        return None;
    }
    if number.contains("(0)") && all.len() > 3 && all[2..].starts_with('0') {
        all.remove(2);
    }
    if let Some(rest) = all.strip_prefix('1') {
        return is_american(rest).then_some(range);
    }
    let code = (1..=3).map(|len| &all[..len]).find(|code| COUNTRIES.contains(&format!(" {code} ")))?;
    let (least, most) =
        LENGTHS.iter().find(|(known, ..)| *known == code).map_or((9, 15), |(_, least, most)| (*least, *most));
    (least..=most).contains(&all.len()).then_some(range)
}

fn american(scan: &Scan<'_>, mut range: Range<usize>) -> Option<Range<usize>> {
    let text = scan.text;
    let number = &text[range.clone()];
    if let (Some(open), false) = (number.find('('), number.contains(')')) {
        range.start += open + 1;
    }
    let number = &text[range.clone()];
    let all = digits(number);
    let all = all.strip_prefix('1').filter(|rest| rest.len() == 10).unwrap_or(&all);
    if !stands_alone(text, &range) || !is_american(all) {
        return None;
    }
    let told = is_told(scan, range.start);
    if !told && IDENTIFIER.is_match(&scan.before(range.start, 16)) {
        return None;
    }
    let separators: Vec<u8> = number.bytes().filter(|b| !b.is_ascii_digit()).collect();
    let is_one_kind =
        separators.len() >= 2 && matches!(separators[0], b'-' | b'.') && separators.iter().all(|b| *b == separators[0]);
    (told || number.contains('(') || is_one_kind).then_some(range)
}

fn national(scan: &Scan<'_>, mut range: Range<usize>) -> Option<Range<usize>> {
    let text = scan.text;
    if text[range.clone()].starts_with('(') && !text[range.clone()].contains(')') {
        range.start += 1;
    }
    if text[range.clone()].ends_with(')') && !text[range.clone()].contains('(') {
        range.end -= 1;
    }
    let number = &text[range.clone()];
    let all = digits(number);
    if !stands_alone(text, &range) || !(9..=12).contains(&all.len()) {
        return None;
    }
    if is_told(scan, range.start) {
        return Some(range);
    }
    if IDENTIFIER.is_match(&scan.before(range.start, 16)) || number == all {
        return None;
    }
    let groups: Vec<&str> = number.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let mut separators: Vec<char> = number.chars().filter(|c| !c.is_ascii_digit()).collect();
    separators.sort_unstable();
    separators.dedup();
    let is_one = separators.len() == 1;
    let is_phone = if groups.len() == 5 && groups.iter().all(|group| group.len() == 2) {
        // French pairs, and no row of numbers that goes up.
        let pairs: Vec<i32> = groups.iter().filter_map(|group| group.parse().ok()).collect();
        let has_one_step = pairs.windows(2).all(|two| two[1] - two[0] == pairs[1] - pairs[0]);
        is_one && !has_one_step && (!pairs.is_sorted() || matches!(pairs[0], 6 | 7))
    } else {
        let is_german = all.starts_with("01")
            && matches!(all.as_bytes()[2], b'5'..=b'7')
            && all.len() >= 10
            && groups[0].len() == 4;
        let is_british_mobile = all.starts_with("07") && all.len() == 11 && groups[0].len() == 5;
        let has_british_area = ["020", "01", "022", "023", "028", "029"].iter().any(|area| all.starts_with(area));
        let is_british = has_british_area && all.len() == 11 && groups.len() == 3 && separators == [' '];
        let has_slash = groups.len() == 2
            && (3..=5).contains(&groups[0].len())
            && separators.contains(&'/')
            && groups[1].len() >= 5;
        is_german || is_british_mobile || is_british || number.starts_with("(0") || has_slash
    };
    (is_phone && !is_alnum(after(text, range.end))).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::patterns::Scan;

    #[test]
    fn numbers_are_told_from_others() {
        for (text, is) in [
            ("+49 30 901820", true),
            ("+1 415-555-0132", true),
            ("+999 123 456 789", false),
            ("+12500000 rows", false),
            ("(415) 555-0132", true),
            ("order 415-555-0132", false),
            ("call me 4155550132", true),
            ("4155550132", false),
            ("030/901820", true),
            ("item 030/901820", false),
            ("01 02 03 04 05", false),
            ("2026-11-21T10:00:00+01:00", false),
        ] {
            assert_eq!(!find(&Scan::new(text, None)).is_empty(), is, "{text}");
        }
    }
}
