use std::fmt;
use std::path::PathBuf;

use reqwest::Proxy;
use reqwest::header::HeaderMap;
use spandrel_plugin_api::Error;
use spandrel_plugin_api::config::{FromTable, Reader};
use spandrel_post::text::without_secrets;
use spandrel_post::{Settings, check_timeout, invalid};

use crate::endpoint::{Endpoint, is_for_grpc};

/// The table `[provider.otlp]`.
///
/// `Debug` shows no secret: neither values of headers nor credentials in URLs.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OtlpConfig {
    /// Where to send to; `None` is the default port of the protocol on this machine.
    ///
    /// A URL without a path gets `/v1/traces`; one with a path, if only `/`, is used
    /// as it is. With gRPC only scheme, host and port count.
    pub endpoint: Option<String>,
    /// How it is sent. In a table that does not say it, gRPC for an endpoint with the port
    /// 4317 and no path.
    pub protocol: Protocol,
    /// Sent with each request, as for authentication.
    pub headers: HeaderMap,
    /// How requests are compressed.
    pub compression: Compression,
    /// Most milliseconds for one request and its answer.
    pub timeout_ms: u64,
    /// Whether a gRPC endpoint without a scheme is plain text, not TLS.
    pub insecure: bool,
    /// PEM file of the authorities to trust in place of those of the system.
    pub certificate: Option<PathBuf>,
    /// PEM file of the certificate chain to show to the server.
    pub client_certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub client_key: Option<PathBuf>,
    /// URL of the proxy, or `none`; `None` is what the environment says.
    pub proxy: Option<String>,
}

/// How spans are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// Protobuf over HTTP: the recorder's bytes as they are.
    #[default]
    HttpProtobuf,
    /// JSON over HTTP.
    HttpJson,
    /// gRPC, the recorder's bytes as they are.
    Grpc,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With gzip.
    Gzip,
    /// With Zstandard; needs the cargo feature `zstd`, and a server that knows it.
    Zstd,
}

impl OtlpConfig {
    /// Refuses what no type can rule out, and finds out where to send to.
    pub(crate) fn check(&self) -> Result<Endpoint, Error> {
        if self.compression == Compression::Zstd && !cfg!(feature = "zstd") {
            return Err(invalid("compression", "this program was built without Zstandard").with_context(
                "remedy",
                "enable the cargo feature `zstd` of spandrel (or of the plugin), or set \"gzip\"",
            ));
        }
        check_timeout(self.timeout_ms)?;
        if let Some(missing) = match (&self.client_certificate, &self.client_key) {
            (Some(_), None) => Some("client_key"),
            (None, Some(_)) => Some("client_certificate"),
            _ => None,
        } {
            return Err(invalid(missing, format!("a client certificate needs its key: `{missing}` is missing"))
                .with_context(
                    "remedy",
                    "set provider.otlp.client_certificate and provider.otlp.client_key, or neither",
                ));
        }
        self.proxy()?;
        let endpoint = Endpoint::new(self)?;
        if endpoint.is_https() && !cfg!(feature = "tls") {
            return Err(invalid("endpoint", "this program was built without TLS")
                .with_context("endpoint", endpoint.to_string())
                .with_context(
                    "remedy",
                    "enable the cargo feature `tls` of spandrel (or of the plugin), or use http://",
                ));
        }
        Ok(endpoint)
    }

    /// The proxy, if one is named.
    pub(crate) fn proxy(&self) -> Result<Option<Proxy>, Error> {
        let named = self.proxy.as_deref().filter(|name| *name != "none");
        let proxy = |url| {
            Proxy::all(url).map_err(|_| {
                invalid("proxy", format!("the proxy `{}` is not a URL", without_secrets(url)))
                    .with_context("remedy", "write it like http://proxy:3128, or \"none\"")
            })
        };
        named.map(proxy).transpose()
    }
}

impl FromTable for OtlpConfig {
    fn from_table(table: &mut Reader<'_>) -> Result<Self, Error> {
        let protocols =
            [("http/protobuf", Protocol::HttpProtobuf), ("http/json", Protocol::HttpJson), ("grpc", Protocol::Grpc)];
        let compressions = [("none", Compression::None), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)];
        let default = Self::default();
        let endpoint = table.text("endpoint")?;
        let protocol = table.choice("protocol", &protocols)?;
        let Settings { headers, timeout_ms, proxy, certificate, .. } = Settings::from_table(table)?;
        Ok(Self {
            endpoint: endpoint.map(str::to_owned),
            protocol: protocol.unwrap_or(match endpoint {
                Some(endpoint) if is_for_grpc(endpoint) => Protocol::Grpc,
                _ => default.protocol,
            }),
            headers,
            compression: table.choice("compression", &compressions)?.unwrap_or(default.compression),
            timeout_ms,
            insecure: table.boolean("insecure")?.unwrap_or(default.insecure),
            certificate,
            client_certificate: table.text("client_certificate")?.map(PathBuf::from),
            client_key: table.text("client_key")?.map(PathBuf::from),
            proxy,
        })
    }
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: Protocol::default(),
            headers: HeaderMap::new(),
            compression: Compression::default(),
            timeout_ms: 10_000,
            insecure: false,
            certificate: None,
            client_certificate: None,
            client_key: None,
            proxy: None,
        }
    }
}

impl fmt::Debug for OtlpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpConfig")
            .field("endpoint", &self.endpoint.as_deref().map(without_secrets))
            .field("protocol", &self.protocol)
            .field("headers", &self.headers.keys().map(AsRef::as_ref).collect::<Vec<&str>>())
            .field("compression", &self.compression)
            .field("timeout_ms", &self.timeout_ms)
            .field("insecure", &self.insecure)
            .field("certificate", &self.certificate)
            .field("client_certificate", &self.client_certificate)
            .field("client_key", &self.client_key)
            .field("proxy", &self.proxy.as_deref().map(without_secrets))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use spandrel_plugin_api::config::parse;
    use spandrel_plugin_api::{Error, ErrorKind};

    use super::{Compression, OtlpConfig, Protocol};

    #[test]
    fn every_setting_has_a_default() {
        let config: OtlpConfig = parse("").unwrap();
        assert_eq!(config, OtlpConfig::default());
        assert_eq!((config.protocol, config.timeout_ms), (Protocol::HttpProtobuf, 10_000));

        let text = "endpoint = 'https://x/p'\nprotocol = 'grpc'\ncompression = 'gzip'\ntimeout_ms = 7\ninsecure = true\n\
                    certificate = '/a'\nclient_certificate = '/b'\nclient_key = '/c'\nproxy = 'none'\n\
                    [headers]\nauthorization = 'Bearer x'";
        let config: OtlpConfig = parse(text).unwrap();
        assert_eq!(config.endpoint.as_deref(), Some("https://x/p"));
        assert_eq!((config.protocol, config.compression), (Protocol::Grpc, Compression::Gzip));
        assert_eq!((config.timeout_ms, config.insecure), (7, true));
        assert_eq!(config.headers["authorization"], "Bearer x");
        assert_eq!(config.client_key.as_deref(), Some("/c".as_ref()));
        assert_eq!(config.proxy.as_deref(), Some("none"));
    }

    #[test]
    fn a_port_means_its_protocol_unless_something_else_is_said() {
        for (text, protocol) in [
            ("endpoint = 'http://jaeger:4317'", Protocol::Grpc),
            ("endpoint = 'https://[::1]:4317?a=b'", Protocol::Grpc),
            ("endpoint = 'http://h:4317'\nprotocol = 'http/json'", Protocol::HttpJson),
            ("endpoint = 'http://h:4317/'", Protocol::HttpProtobuf),
            ("endpoint = 'http://h:4317/v1/traces'", Protocol::HttpProtobuf),
            ("endpoint = 'http://h:4318'", Protocol::HttpProtobuf),
            ("endpoint = 'http://4317'", Protocol::HttpProtobuf),
            // Whether it is TLS, is for the error about the missing scheme to ask.
            ("endpoint = 'h:4317'", Protocol::HttpProtobuf),
        ] {
            assert_eq!(parse::<OtlpConfig>(text).unwrap().protocol, protocol, "{text}");
        }
    }

    fn refused(text: &str) -> Error {
        parse::<OtlpConfig>(text).and_then(|config| config.check()).err().unwrap()
    }

    #[test]
    fn errors_name_the_key_and_what_is_possible() {
        for (text, key, message) in [
            (
                "protocol = 'http'",
                "protocol",
                "`protocol` must be \"http/protobuf\" or \"http/json\" or \"grpc\", not \"http\"",
            ),
            (
                "timeout_ms = 0",
                "timeout_ms",
                "`timeout_ms` must be at least 1, because no request is answered in no time",
            ),
            ("timeout_ms = '10s'", "timeout_ms", "`timeout_ms` must be a whole number from 0 up, not \"10s\""),
            ("client_certificate = '/x'", "client_key", "a client certificate needs its key: `client_key` is missing"),
        ] {
            let error = refused(text);
            assert_eq!((error.kind(), error.context("key")), (ErrorKind::ConfigInvalid, Some(key)), "{text}");
            assert_eq!(error.message(), message);
        }
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn https_without_its_feature_is_refused() {
        let error = refused("endpoint = 'https://x'");
        assert!(error.to_string().contains("cargo feature `tls`"), "{error}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = "endpoint = 'https://user:hush@x/p?key=hush'\nproxy = 'http://a:hush@p:1'\nheaders = 'api-key=hush'";
        let shown = format!("{:?}", parse::<OtlpConfig>(text).unwrap());
        assert!(!shown.contains("hush"), "{shown}");
        assert!(shown.contains("https://x/p") && shown.contains("api-key") && shown.contains("http://p:1"), "{shown}");
    }
}
