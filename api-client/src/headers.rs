//! Which headers go where: into spans, to other hosts, and with the trace.

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, LOCATION,
    PROXY_AUTHORIZATION, SET_COOKIE, USER_AGENT,
};
use spandrel::Span;

use crate::attributes::REDACTED;
use crate::url;

/// Never sent to another host than the one that was asked, besides those that are
/// marked as sensitive and the default headers of the client.
const CREDENTIALS: [&str; 9] = [
    "authorization",
    "cookie",
    "cookie2",
    "proxy-authorization",
    "www-authenticate",
    "api-key",
    "x-api-key",
    "x-auth-token",
    "x-goog-api-key",
];

/// Default headers that every host may have.
const HARMLESS: [HeaderName; 4] = [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, USER_AGENT];

/// Never shown, also where they are asked for.
const SECRET: [HeaderName; 4] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE];

/// Adds the default headers that the request does not set itself.
pub(crate) fn add_defaults(headers: &mut HeaderMap, defaults: &HeaderMap) {
    for name in defaults.keys().filter(|name| !headers.contains_key(*name)).cloned().collect::<Vec<_>>() {
        for value in defaults.get_all(&name) {
            headers.append(&name, value.clone());
        }
    }
}

/// Leaves what another host may know.
pub(crate) fn remove_private(headers: &mut HeaderMap, defaults: &HeaderMap) {
    let is_default = |name: &HeaderName| defaults.contains_key(name) && !HARMLESS.contains(name);
    let is_private = |name: &HeaderName| {
        CREDENTIALS.contains(&name.as_str())
            || is_default(name)
            || headers.get_all(name).iter().any(reqwest::header::HeaderValue::is_sensitive)
    };
    let private: Vec<HeaderName> = headers.keys().filter(|name| is_private(name)).cloned().collect();
    for name in private {
        headers.remove(name);
    }
    headers.remove(HOST);
}

/// Whether default headers of a client of reqwest hold credentials. Only its `Debug` knows.
pub(crate) fn holds_credentials(http: &reqwest::ClientBuilder) -> bool {
    let text = format!("{http:?}").to_lowercase();
    text.split_once("default_headers: {").is_some_and(|(_, headers)| {
        headers.contains("\": sensitive") || CREDENTIALS.iter().any(|name| headers.contains(&format!("\"{name}\":")))
    })
}

/// Writes the headers that are on the list to the span.
pub(crate) fn capture(span: &mut Span, prefix: &str, wanted: &[HeaderName], headers: &HeaderMap, secrets: &[String]) {
    if !span.is_recording() {
        return;
    }
    for name in wanted.iter().filter(|name| headers.contains_key(*name)) {
        let values: Vec<String> = headers
            .get_all(name)
            .iter()
            .map(|value| match value {
                value if SECRET.contains(name) || value.is_sensitive() => REDACTED.to_owned(),
                value if *name == LOCATION => url::readable(&String::from_utf8_lossy(value.as_bytes()), secrets),
                value => String::from_utf8_lossy(value.as_bytes()).into_owned(),
            })
            .collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        span.set_attribute(&format!("{prefix}{name}"), &values[..]);
    }
}

/// Whether a host is on the list: by its name, or below `*.its.domain`.
pub(crate) fn is_listed(list: &[String], host: &str) -> bool {
    list.iter().any(|listed| match listed.strip_prefix('*') {
        Some(suffix) => suffix.starts_with('.') && host.len() > suffix.len() && host.ends_with(suffix),
        None => listed == host,
    })
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue};

    use super::{add_defaults, holds_credentials, is_listed, remove_private};

    fn map(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn another_host_gets_no_credentials_and_no_default_headers() {
        let defaults = map(&[("x-tenant", "shop"), ("user-agent", "orders"), ("x-mine", "default")]);
        let mut headers = map(&[("authorization", "a"), ("x-api-key", "b"), ("x-mine", "own"), ("x-plain", "c")]);
        let mut sensitive = HeaderValue::from_static("d");
        sensitive.set_sensitive(true);
        headers.insert("x-sensitive", sensitive);
        add_defaults(&mut headers, &defaults);
        assert_eq!(headers["x-mine"], "own");
        assert_eq!(headers.len(), 7);
        remove_private(&mut headers, &defaults);
        assert_eq!(headers, map(&[("x-plain", "c"), ("user-agent", "orders")]));
    }

    #[test]
    fn credentials_of_reqwest_are_seen() {
        let builder = |headers| reqwest::Client::builder().default_headers(headers);
        assert!(holds_credentials(&builder(map(&[("x-team", "a"), ("authorization", "b")]))));
        let mut sensitive = HeaderValue::from_static("d");
        sensitive.set_sensitive(true);
        assert!(holds_credentials(&builder(HeaderMap::from_iter([("x-own".parse().unwrap(), sensitive)]))));
        assert!(!holds_credentials(&builder(map(&[("x-team", "authorization")]))));
        assert!(!holds_credentials(&reqwest::Client::builder().user_agent("cookie")));
    }

    #[test]
    fn hosts_are_listed_by_name_or_domain() {
        let list = ["orders".to_owned(), "*.shop.internal".to_owned(), "*".to_owned()];
        for (host, expected) in [
            ("orders", true),
            ("a.shop.internal", true),
            ("a.b.shop.internal", true),
            ("shop.internal", false),
            ("evilshop.internal", false),
            ("orders.example", false),
        ] {
            assert_eq!(is_listed(&list, host), expected, "{host}");
        }
    }
}
