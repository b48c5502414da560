use std::fmt;

use spandrel_plugin_api::config::{FromTable, Reader, Value};
use spandrel_plugin_api::{Error, ErrorKind};
use spandrel_post::{Client, Endpoint, Server, Settings};

/// The table `[provider.jaeger]`.
///
/// `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JaegerConfig {
    /// Where to send to. A URL without a path gets `/api/traces`, or on port 4318 `/v1/traces`.
    pub endpoint: String,
    /// User and password, sent as basic authentication.
    pub credentials: Option<(String, String)>,
    /// How requests are made.
    pub http: Settings,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `jaeger.thrift`, in the binary protocol.
    Thrift,
    /// The recorder's bytes as they are.
    Otlp,
}

pub(crate) const SERVER: Server = Server {
    provider: "jaeger",
    name: "Jaeger",
    usual: "http://localhost:14268/api/traces, or http://localhost:4318 for OTLP",
    user_agent: concat!("spandrel-jaeger/", env!("CARGO_PKG_VERSION")),
};

const DEFAULT: &str = "http://localhost:14268/api/traces";
const OTLP_PATH: &str = "/v1/traces";

impl JaegerConfig {
    /// The defaults with another endpoint.
    #[must_use]
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), credentials: None, http: Settings::default() }
    }

    /// Refuses what no type can rule out, and finds out where to send to, and what: the path
    /// says it, and where there is none, the port.
    pub(crate) fn check(&self) -> Result<(Endpoint, Format), Error> {
        let mut endpoint = Endpoint::parse(&self.endpoint, DEFAULT)?;
        if let Some((user, password)) = &self.credentials {
            endpoint = endpoint.with_user(user, password);
        }
        let (endpoint, format) = match (endpoint.path(), endpoint.port()) {
            ("/", 4317) => {
                let message = "port 4317 is for OTLP over gRPC, which the provider `jaeger` does not speak";
                return Err(Error::new(ErrorKind::ConfigInvalid, message)
                    .with_context("key", "endpoint")
                    .with_context("endpoint", endpoint.to_string())
                    .with_context("remedy", "use port 4318, or the provider `otlp` with protocol = \"grpc\""));
            }
            ("/", 4318) => (endpoint.with_path(OTLP_PATH, None), Format::Otlp),
            (path, _) if path.ends_with(OTLP_PATH) => (endpoint, Format::Otlp),
            ("/", _) => (thrift("/api/traces", &endpoint), Format::Thrift),
            (path, _) => (thrift(path, &endpoint), Format::Thrift),
        };
        Client::check(&endpoint, &self.http).map(|()| (endpoint, format))
    }
}

/// Old collectors want to be told the format here, new ones by the type of the content.
fn thrift(path: &str, endpoint: &Endpoint) -> Endpoint {
    endpoint.with_path(path, Some("format=jaeger.thrift"))
}

impl FromTable for JaegerConfig {
    fn from_table(table: &mut Reader<'_>) -> Result<Self, Error> {
        let endpoint = table.text("endpoint")?.unwrap_or(DEFAULT).to_owned();
        let credentials = match (secret(table, "user")?, secret(table, "password")?) {
            (None, None) => None,
            (Some(user), password) => Some((user, password.unwrap_or_default())),
            (None, Some(_)) => return Err(table.error("user", "`password` is set and `user` is not")),
        };
        Ok(Self { endpoint, credentials, http: Settings::from_table(table)? })
    }
}

/// A text that no error shows.
fn secret(table: &mut Reader<'_>, key: &'static str) -> Result<Option<String>, Error> {
    match table.value(key) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.clone())),
        // A variable that looks like a number was taken for one.
        Some(number @ (Value::Integer(_) | Value::Boolean(_))) => Ok(Some(number.to_string())),
        Some(_) => Err(table.error(key, format!("`{key}` must be a text"))),
    }
}

impl Default for JaegerConfig {
    fn default() -> Self {
        Self::new(DEFAULT)
    }
}

impl fmt::Debug for JaegerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = Endpoint::parse(&self.endpoint, DEFAULT).ok();
        let user = self.credentials.as_ref().map(|(user, _)| user);
        f.debug_struct("JaegerConfig")
            .field("endpoint", &endpoint)
            .field("user", &user)
            .field("http", &self.http)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use spandrel_plugin_api::ErrorKind;
    use spandrel_plugin_api::config::parse;

    use super::{Format, JaegerConfig};

    #[test]
    fn every_setting_has_a_default() {
        let config: JaegerConfig = parse("").unwrap();
        assert_eq!(config, JaegerConfig::default());
        assert_eq!((config.endpoint.as_str(), config.http.timeout_ms), ("http://localhost:14268/api/traces", 10_000));

        let config: JaegerConfig =
            parse("endpoint = 'http://h'\nuser = 'u'\npassword = 'hush'\ntimeout_ms = 5").unwrap();
        assert_eq!((config.credentials.clone(), config.http.timeout_ms), (Some(("u".into(), "hush".into())), 5));
        let shown = format!("{config:?}");
        assert!(shown.contains("http://h/") && !shown.contains("hush"), "{shown}");

        let error = parse::<JaegerConfig>("password = 'hush'").unwrap_err();
        assert_eq!((error.context("key"), error.message()), (Some("user"), "`password` is set and `user` is not"));
        let config: JaegerConfig = parse("user = 'u'\npassword = 42").unwrap();
        assert_eq!(config.credentials, Some(("u".into(), "42".into())));
        let error = parse::<JaegerConfig>("user = 'u'\npassword = 4.25").unwrap_err();
        assert_eq!(error.to_string(), "`password` must be a text (key: password)");
    }

    #[test]
    fn path_and_port_say_what_is_sent() {
        for (text, expected, format) in [
            ("http://h:14268/api/traces", "/api/traces", Format::Thrift),
            ("http://h:14268", "/api/traces", Format::Thrift),
            ("http://h/jaeger/api/traces", "/jaeger/api/traces", Format::Thrift),
            ("http://h:4318/api/traces", "/api/traces", Format::Thrift),
            ("http://h:4318", "/v1/traces", Format::Otlp),
            ("http://h:4318/", "/v1/traces", Format::Otlp),
            ("http://h:14268/v1/traces", "/v1/traces", Format::Otlp),
            ("http://h:4317/jaeger/v1/traces", "/jaeger/v1/traces", Format::Otlp),
        ] {
            let (endpoint, found) = JaegerConfig::new(text).check().unwrap();
            assert_eq!((endpoint.path(), found), (expected, format), "{text}");
        }
        let error = JaegerConfig::new("http://u:hush@h:4317").check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
        assert_eq!(
            error.to_string(),
            "port 4317 is for OTLP over gRPC, which the provider `jaeger` does not speak (key: endpoint; endpoint: \
             http://h:4317/; remedy: use port 4318, or the provider `otlp` with protocol = \"grpc\")"
        );
    }
    #[cfg(not(feature = "tls"))]
    #[test]
    fn https_without_its_feature_is_refused() {
        let error = JaegerConfig::new("https://h").check().unwrap_err();
        assert_eq!(error.context("key"), Some("endpoint"));
        assert!(error.to_string().contains("cargo feature `tls`"), "{error}");
    }
}
