//! URLs: what a relative one means, and how one looks without its secrets.

use reqwest::Url;

use crate::attributes::REDACTED;

/// The URL, appended to the base unless it has a host itself. It may be unusable.
pub(crate) fn resolved(base: Option<&str>, url: &str) -> String {
    match base {
        Some(base) if !Url::parse(url).is_ok_and(|url| url.has_host()) => {
            format!("{}/{}", base.trim_end_matches('/'), url.trim_start_matches('/'))
        }
        _ => url.to_owned(),
    }
}

/// Whether relative URLs can be appended to it.
pub(crate) fn check_base(url: &str, secrets: &[String]) -> Result<(), String> {
    let reason = match Url::parse(url) {
        Ok(parsed) if !matches!(parsed.scheme(), "http" | "https") => {
            "it must begin with http:// or https://".to_owned()
        }
        Ok(parsed) if parsed.query().is_some() || parsed.fragment().is_some() => "it must end with its path".to_owned(),
        Ok(_) => return Ok(()),
        Err(error) => error.to_string(),
    };
    Err(format!("base URL `{}`: {reason}", readable(url, secrets)))
}

pub(crate) fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// The address without the brackets of IPv6.
pub(crate) fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default().trim_matches(['[', ']'])
}

/// Whether both are at the same server, by name and port, spoken to in the same way.
pub(crate) fn is_same_origin(one: &Url, other: &Url) -> bool {
    (one.scheme(), one.host_str(), one.port_or_known_default())
        == (other.scheme(), other.host_str(), other.port_or_known_default())
}

/// The URL without its credentials and the values of these parameters.
pub(crate) fn sanitized(url: &Url, secrets: &[String]) -> String {
    let mut url = url.clone();
    if has_credentials(&url) {
        // These fail for a URL without a host, which has no credentials either.
        let _ = url.set_username(REDACTED);
        let _ = url.set_password(Some(REDACTED));
    }
    let is_secret = |(key, _): (std::borrow::Cow<'_, str>, _)| secrets.iter().any(|secret| *secret == *key);
    if url.query_pairs().any(is_secret) {
        let raw = url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let clean = raw.zip(url.query_pairs()).map(|(raw, parsed)| match raw.split_once('=') {
            Some((key, _)) if is_secret(parsed) => format!("{key}={REDACTED}"),
            _ => raw.to_owned(),
        });
        let clean = clean.collect::<Vec<_>>().join("&");
        url.set_query(Some(&clean));
    }
    url.into()
}

/// A text that should be a URL, without what may be a secret in it.
pub(crate) fn readable(url: &str, secrets: &[String]) -> String {
    match Url::parse(url) {
        Ok(url) if url.has_host() => sanitized(&url, secrets),
        _ => {
            let path = url.split(['?', '#']).next().unwrap_or_default();
            path.rsplit('@').next().unwrap_or_default().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check_base, is_same_origin, readable, resolved};

    #[test]
    fn relative_urls_are_appended_to_the_base() {
        for (base, url, expected) in [
            (Some("http://host/api/"), "/orders?a=1", "http://host/api/orders?a=1"),
            (Some("http://host/api"), "orders", "http://host/api/orders"),
            (Some("http://host"), "//other/x", "http://host/other/x"),
            (Some("http://host"), "users:7", "http://host/users:7"),
            (Some("http://host"), "https://other/x", "https://other/x"),
            (None, "orders", "orders"),
        ] {
            assert_eq!(resolved(base, url), expected);
        }
    }

    #[test]
    fn secrets_are_replaced_and_all_else_is_left_alone() {
        let secrets = crate::attributes::SECRET_PARAMETERS.map(str::to_owned);
        for (url, expected) in [
            ("http://host/a%20b?x=1&&y=%2F#f", "http://host/a%20b?x=1&&y=%2F#f"),
            ("http://me:secret@host/", "http://REDACTED:REDACTED@host/"),
            ("http://token@host/", "http://REDACTED:REDACTED@host/"),
            (
                "http://host/?sig=secret&a=1&X-Amz-Signature=b%3D",
                "http://host/?sig=REDACTED&a=1&X-Amz-Signature=REDACTED",
            ),
            ("http://host/?a=1&&%73ig=secret&Sig=2&sig", "http://host/?a=1&%73ig=REDACTED&Sig=2&sig"),
            ("me:secret@host?sig=secret", "host"),
            ("/me:secret@x/y?sig=secret#secret", "x/y"),
        ] {
            assert_eq!(readable(url, &secrets), expected);
        }
        let own = ["key".to_owned()];
        assert_eq!(readable("http://host/?key=secret&sig=2", &own), "http://host/?key=REDACTED&sig=2");
    }

    #[test]
    fn an_unusable_base_is_refused_with_the_reason() {
        let error = |url| check_base(url, &[]).unwrap_err();
        assert_eq!(error("orders:80"), "base URL `orders:80`: it must begin with http:// or https://");
        assert_eq!(error("//orders"), "base URL `//orders`: relative URL without a base");
        assert_eq!(error("http://orders?a=1"), "base URL `http://orders/?a=1`: it must end with its path");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let is_same = |one: &str, other: &str| is_same_origin(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(is_same("http://host/a", "http://HOST:80/b"));
        assert!(!is_same("http://host/", "https://host/"));
        assert!(!is_same("http://host/", "http://host:81/"));
        assert!(!is_same("http://host/", "http://other/"));
    }
}
