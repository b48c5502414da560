use std::fmt;

use http::Uri;
use spandrel_plugin_api::Error;

use crate::settings::invalid;
use crate::text::{without_secrets, without_user};

/// A URL to send to.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Without user and password.
    uri: Uri,
    user: Option<(String, String)>,
}

impl Endpoint {
    /// Reads a URL; `like` is one to show to somebody who made a mistake.
    ///
    /// # Errors
    ///
    /// [`ConfigInvalid`](spandrel_plugin_api::ErrorKind::ConfigInvalid), with the key `endpoint`, if it is none.
    pub fn parse(text: &str, like: &str) -> Result<Self, Error> {
        let shown = without_secrets(text);
        if !text.contains("://") {
            return Err(invalid("endpoint", format!("the endpoint `{shown}` has no scheme"))
                .with_context("remedy", "write http:// or https:// before the name of the host"));
        }
        let unusable = || {
            invalid("endpoint", format!("the endpoint `{shown}` is not a URL"))
                .with_context("remedy", format!("write it like {like}"))
        };
        let (clean, user) = without_user(text);
        let uri: Uri = clean.parse().map_err(|_| unusable())?;
        // A port that is no number is taken for none.
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let has_odd_port = uri.port().is_none() && authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) || has_odd_port {
            return Err(unusable());
        }
        Ok(Self { uri, user })
    }

    /// The same with this path, and `query` if it had none.
    #[must_use]
    pub fn with_path(&self, path: &str, query: Option<&str>) -> Self {
        let query = self.uri.query().or(query).map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = format!("{path}{query}").parse().ok();
        // Of a scheme, an authority and a path there is always a URL.
        let uri = Uri::from_parts(parts).unwrap_or_else(|_| self.uri.clone());
        Self { uri, user: self.user.clone() }
    }

    /// The same with this user and password, which are sent with each request.
    #[must_use]
    pub fn with_user(mut self, user: &str, password: &str) -> Self {
        self.user = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// The path, `/` if it has none.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The port, that of the scheme if it has none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// Whether it needs TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    pub(crate) const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// User and password, from the URL or beside it.
    pub(crate) const fn user(&self) -> Option<&(String, String)> {
        self.user.as_ref()
    }
}

/// Without credentials and query.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_secrets(&self.uri.to_string()))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    const LIKE: &str = "http://localhost:9411";

    #[test]
    fn urls_are_taken_apart() {
        let endpoint = Endpoint::parse("http://us%40er:p:w@h:1/a/b?x=y", LIKE).unwrap();
        assert_eq!((endpoint.path(), endpoint.port(), endpoint.is_https()), ("/a/b", 1, false));
        assert_eq!(endpoint.user(), Some(&("us@er".to_owned(), "p:w".to_owned())));
        assert_eq!(
            (endpoint.to_string(), endpoint.uri().to_string().as_str()),
            ("http://h:1/a/b".into(), "http://h:1/a/b?x=y")
        );
        assert_eq!(endpoint.with_path("/c", Some("z")).uri().to_string(), "http://h:1/c?x=y");

        let endpoint = Endpoint::parse("https://[::1]", LIKE).unwrap();
        assert_eq!((endpoint.path(), endpoint.port(), endpoint.is_https()), ("/", 443, true));
        assert_eq!(endpoint.with_path("/c", Some("z=1")).uri().to_string(), "https://[::1]/c?z=1");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        let error = Endpoint::parse("user:hush@localhost:9411", LIKE).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the endpoint `localhost:9411` has no scheme (key: endpoint; remedy: write http:// or https:// before the \
             name of the host)"
        );
        for text in
            ["ftp://h", "http://", "http://:1", "unix:///run/x", "http://h:99999", "http://h:x", "http://a b", ""]
        {
            let error = Endpoint::parse(text, LIKE).unwrap_err();
            assert_eq!(error.context("key"), Some("endpoint"), "{text}");
            assert!(error.context("remedy").is_some_and(|remedy| remedy.contains("http://")), "{error}");
        }
    }
}
