//! The client behind proxies: `Forwarded` (RFC 7239) and `X-Forwarded-For`.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap};

/// The first address of the list, which the outermost proxy has written.
///
/// What is no address is left out: obfuscated names say nothing, and anything else
/// is not for a trace.
pub(crate) fn client(headers: &HeaderMap) -> Option<IpAddr> {
    match headers.get(FORWARDED) {
        Some(value) => address(parameter(first(value.to_str().ok()?), "for")?),
        None => address(first(headers.get("x-forwarded-for")?.to_str().ok()?)),
    }
}

/// Addresses have no commas, not even within quotes.
fn first(list: &str) -> &str {
    list.split(',').next().unwrap_or_default()
}

fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find_map(|(key, value)| key.trim().eq_ignore_ascii_case(name).then_some(value))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `"[2001:db8::1]:80"`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    text.trim_matches(['[', ']']).parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::client;

    #[test]
    fn the_first_address_counts() {
        for (name, value, expected) in [
            ("x-forwarded-for", "192.0.2.1, 10.0.0.1", Some("192.0.2.1")),
            ("x-forwarded-for", " 2001:db8::1 ", Some("2001:db8::1")),
            ("x-forwarded-for", "192.0.2.1:4711", Some("192.0.2.1")),
            ("x-forwarded-for", "somebody", None),
            ("x-forwarded-for", "", None),
            ("forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43", Some("192.0.2.60")),
            ("forwarded", "proto=https; For=\"[2001:db8:cafe::17]:4711\", for=10.0.0.1", Some("2001:db8:cafe::17")),
            ("forwarded", "for=_hidden", None),
            ("forwarded", "for=unknown, for=10.0.0.1", None),
            ("forwarded", "proto=http", None),
        ] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            assert_eq!(client(&headers), expected.map(|address| address.parse().unwrap()), "{name}: {value}");
        }
    }
}
