use std::fmt;

use spandrel_plugin_api::Error;
use spandrel_plugin_api::config::{FromTable, Reader};
use spandrel_post::{Client, Endpoint, Server, Settings};

/// The table `[provider.zipkin]`.
///
/// `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ZipkinConfig {
    /// Where to send to. A URL without a path gets `/api/v2/spans`.
    pub endpoint: String,
    /// How requests are made.
    pub http: Settings,
}

pub(crate) const SERVER: Server = Server {
    provider: "zipkin",
    name: "Zipkin",
    usual: "http://localhost:9411/api/v2/spans",
    user_agent: concat!("spandrel-zipkin/", env!("CARGO_PKG_VERSION")),
};

impl ZipkinConfig {
    /// The defaults with another endpoint.
    #[must_use]
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), http: Settings::default() }
    }

    /// Refuses what no type can rule out, and finds out where to send to.
    pub(crate) fn check(&self) -> Result<Endpoint, Error> {
        let endpoint = Endpoint::parse(&self.endpoint, SERVER.usual)?;
        let endpoint = if endpoint.path() == "/" { endpoint.with_path("/api/v2/spans", None) } else { endpoint };
        Client::check(&endpoint, &self.http).map(|()| endpoint)
    }
}

impl FromTable for ZipkinConfig {
    fn from_table(table: &mut Reader<'_>) -> Result<Self, Error> {
        let endpoint = table.text("endpoint")?.unwrap_or(SERVER.usual).to_owned();
        Ok(Self { endpoint, http: Settings::from_table(table)? })
    }
}

impl Default for ZipkinConfig {
    fn default() -> Self {
        Self::new(SERVER.usual)
    }
}

impl fmt::Debug for ZipkinConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = Endpoint::parse(&self.endpoint, SERVER.usual).ok();
        f.debug_struct("ZipkinConfig").field("endpoint", &endpoint).field("http", &self.http).finish()
    }
}

#[cfg(test)]
mod tests {
    use spandrel_plugin_api::config::parse;

    use super::ZipkinConfig;

    #[test]
    fn every_setting_has_a_default() {
        let config: ZipkinConfig = parse("").unwrap();
        assert_eq!(config, ZipkinConfig::default());
        assert_eq!((config.endpoint.as_str(), config.http.timeout_ms), ("http://localhost:9411/api/v2/spans", 10_000));

        let config: ZipkinConfig = parse("endpoint = 'http://u:hush@h'\ntimeout_ms = 5\nheaders = 'a=b'").unwrap();
        assert_eq!((config.endpoint.as_str(), config.http.timeout_ms), ("http://u:hush@h", 5));
        assert_eq!(config.http.headers["a"], "b");
        let shown = format!("{config:?}");
        assert!(shown.contains("http://h/") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn a_path_is_added_where_there_is_none() {
        for (text, expected) in [
            ("http://h:9411", "http://h:9411/api/v2/spans"),
            ("http://h:9411/", "http://h:9411/api/v2/spans"),
            ("http://h/zipkin/api/v2/spans", "http://h/zipkin/api/v2/spans"),
        ] {
            assert_eq!(ZipkinConfig::new(text).check().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn errors_name_the_key_and_what_is_possible() {
        let error = parse::<ZipkinConfig>("endpont = 'x'").unwrap_err();
        assert_eq!(
            error.message(),
            "unknown configuration key `endpont`; did you mean `endpoint`? (known here: endpoint, headers, \
             timeout_ms, proxy, certificate)"
        );
        let error = ZipkinConfig::new("localhost:9411").check().unwrap_err();
        assert_eq!(
            (error.message(), error.context("key")),
            ("the endpoint `localhost:9411` has no scheme", Some("endpoint"))
        );
    }
    #[cfg(not(feature = "tls"))]
    #[test]
    fn https_without_its_feature_is_refused() {
        let error = ZipkinConfig::new("https://h").check().unwrap_err();
        assert_eq!(error.context("key"), Some("endpoint"));
        assert!(error.to_string().contains("cargo feature `tls`"), "{error}");
    }
}
