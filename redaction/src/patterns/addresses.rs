//! IP addresses that tell who somebody is: not this machine, no network, no version of anything.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::{Scan, after, before, each, expression};
use crate::text::is_alnum;

expression!(IPV4, r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}");
expression!(IPV6, r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:[0-9]{0,3}(?:\.[0-9]{1,3}){3})?");
expression!(HOST, r"\bip-([0-9]{1,3}-[0-9]{1,3}-[0-9]{1,3}-[0-9]{1,3})\b");
expression!(
    VERSION,
    r#"(?i)(?:\b(?:v|ver|version|versions|release|rev|revision|build|firmware|section|sec|chapter|clause|figure|fig|table|appendix|paragraph|para|item|step|abschnitt|kapitel|version_number|file_?version|assembly_?version|product_?version|appversion|oid|oid_\w+|driver|from|upgrade|upgraded|rfc)\b\.?['"`*]*\s*(?:is|no\.?|number)?\s*[:=#]?\s*['"`*(]*|§+\s*|[=~^<>!]=\s*['"]?)$"#
);
expression!(FROM, r#"(?i)\bfrom['"`*\s:]*$"#);
expression!(PRODUCT, r#"(?:^|[\s(";'])[A-Z][A-Za-z]+/$"#);

pub(super) fn find(scan: &Scan<'_>) -> Vec<Range<usize>> {
    let text = scan.text;
    let mut found = each(&IPV4, text, |range| v4(scan, range));
    found.extend(each(&IPV6, text, |range| v6(text, range)));
    found.extend(HOST.captures_iter(text).filter_map(|host| Some(host.get(1)?.range())));
    found
}

fn v4(scan: &Scan<'_>, range: Range<usize>) -> Option<Range<usize>> {
    let text = scan.text;
    let number = u32::from(lenient_v4(&text[range.clone()])?);
    let head = text[..range.start].chars().rev().take(2).collect::<Vec<_>>();
    let is_within = match head.as_slice() {
        [c, ..] if c.is_alphanumeric() || *c == '_' => true,
        ['.' | '-' | '+', c] => c.is_alphanumeric(),
        _ => false,
    };
    let mut rest = text[range.end..].chars();
    let goes_on = match (rest.next(), rest.next()) {
        (Some(c), _) if c.is_alphanumeric() || c == '_' => true,
        (Some('.'), Some(c)) => c.is_ascii_digit(),
        (Some('-' | '+'), Some(c)) => c.is_ascii_alphanumeric(),
        _ => false,
    };
    if is_within || goes_on {
        return None;
    }
    let words = scan.before(range.start, 40);
    if PRODUCT.is_match(&words) || VERSION.is_match(&words) && !FROM.is_match(&words) {
        return None;
    }
    // This machine, 0/8, multicast, masks, and where clouds tell machines about themselves.
    if number >> 24 == 127 || number >> 24 == 0 || number >> 28 >= 14 || number == 0xa9fe_a9fe {
        return None;
    }
    let is_network =
        mask(&text[range.end..]).is_some_and(|len| len < 32 && u64::from(number) & ((1 << (32 - len)) - 1) == 0);
    (!is_network).then_some(range)
}

/// With zeros before digits, too, unlike the standard library.
fn lenient_v4(text: &str) -> Option<Ipv4Addr> {
    let mut parts = text.split('.').map(str::parse::<u8>);
    let mut next = || parts.next()?.ok();
    Some(Ipv4Addr::new(next()?, next()?, next()?, next()?))
}

/// The length behind `/`.
fn mask(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('/')?;
    let len = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..len].parse().ok().filter(|_| !digits[len..].starts_with('.'))
}

fn v6(text: &str, mut range: Range<usize>) -> Option<Range<usize>> {
    while text[range.clone()].ends_with(':') && !text[range.clone()].ends_with("::") {
        range.end -= 1;
    }
    let address = &text[range.clone()];
    let is_within = before(text, range.start).is_some_and(|c| c.is_alphanumeric() || "_:.".contains(c));
    if is_within || is_alnum(after(text, range.end)) || text[range.end..].starts_with('_') {
        return None;
    }
    let ip: Ipv6Addr = address.parse().ok()?;
    if ip.is_loopback() || ip.is_unspecified() {
        return None;
    }
    if let Some(v4) = ip.to_ipv4_mapped() {
        return (!v4.is_loopback() && u32::from(v4) >> 24 != 0).then_some(range);
    }
    let is_translated = address.to_ascii_lowercase().starts_with("64:ff9b::");
    let top = ip.segments()[0];
    let is_used = top >> 13 == 1 || top >> 9 == 0x7e || top >> 6 == 0x3fa;
    let is_plain = is_used && address.find(':') == Some(4);
    if !(is_translated || is_plain) {
        return None;
    }
    let groups = address.split(':').filter(|group| !group.is_empty()).count();
    if groups < 3 && !address.contains(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let number = u128::from(ip);
    let is_network = mask(&text[range.end..]).is_some_and(|len| len < 128 && number.trailing_zeros() >= 128 - len);
    (!is_network).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::patterns::Scan;

    #[test]
    fn addresses_are_told_from_versions_and_networks() {
        for (text, key, is) in [
            ("from 192.0.2.1 port 22", None, true),
            ("2001:db8::1", None, true),
            ("::ffff:192.0.2.1", None, true),
            ("127.0.0.1 and ::1", None, false),
            ("version 1.2.3.4", None, false),
            ("1.2.3.4", Some("service.version"), false),
            ("10.0.0.0/8", None, false),
            ("10.0.0.7/8", None, true),
            ("1.2.3.4.5", None, false),
            ("a::b, dead::beef, 12:34:56", None, false),
            ("Chrome/99.0.48.44", None, false),
            ("999.1.1.1", None, false),
        ] {
            assert_eq!(!find(&Scan::new(text, key)).is_empty(), is, "{text}");
        }
    }
}
