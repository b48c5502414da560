//! URLs: what a relative one means, and how one looks without its secrets.

use reqwest::Url;

use crate::attributes::{REDACTED, SECRET_PARAMETERS};

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
pub(crate) fn check_base(url: &str) -> Result<(), String> {
    let reason = match Url::parse(url) {
        Ok(parsed) if !matches!(parsed.scheme(), "http" | "https") => {
            "it must begin with http:// or https://".to_owned()
        }
        Ok(parsed) if parsed.query().is_some() || parsed.fragment().is_some() => "it must end with its path".to_owned(),
        Ok(_) => return Ok(()),
        Err(error) => error.to_string(),
    };
    Err(format!("base URL `{}`: {reason}", readable(url)))
}

/// The URL without its secrets.
pub(crate) fn sanitized(url: &Url) -> String {
    let mut url = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // These fail for a URL without a host, which has no credentials either.
        let _ = url.set_username(REDACTED);
        let _ = url.set_password(Some(REDACTED));
    }
    let is_secret = |(key, _): (std::borrow::Cow<'_, str>, _)| SECRET_PARAMETERS.contains(&&*key);
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
pub(crate) fn readable(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) if url.has_host() => sanitized(&url),
        _ => {
            let path = url.split(['?', '#']).next().unwrap_or_default();
            path.rsplit('@').next().unwrap_or_default().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check_base, readable, resolved};

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
            assert_eq!(readable(url), expected);
        }
    }

    #[test]
    fn an_unusable_base_is_refused_with_the_reason() {
        let error = |url| check_base(url).unwrap_err();
        assert_eq!(error("orders:80"), "base URL `orders:80`: it must begin with http:// or https://");
        assert_eq!(error("//orders"), "base URL `//orders`: relative URL without a base");
        assert_eq!(error("http://orders?a=1"), "base URL `http://orders/?a=1`: it must end with its path");
    }
}
