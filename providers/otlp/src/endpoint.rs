use std::fmt;

use reqwest::Url;
use spandrel_plugin_api::Error;
use spandrel_post::invalid;
use spandrel_post::text::without_secrets;

use crate::config::{OtlpConfig, Protocol};

/// Where requests go.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    url: Url,
}

const HTTP_PATH: &str = "/v1/traces";
const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

impl Endpoint {
    /// Source: OTLP specification 1.x, default ports and paths; OpenTelemetry
    /// specification, "OpenTelemetry Protocol Exporter", "Endpoint URLs".
    pub(crate) fn new(config: &OtlpConfig) -> Result<Self, Error> {
        let is_grpc = config.protocol == Protocol::Grpc;
        let default = if is_grpc { "http://localhost:4317" } else { "http://localhost:4318" };
        let text = config.endpoint.as_deref().unwrap_or(default);
        let complete = match text.split_once("://") {
            Some(_) => text.to_owned(),
            None if !is_grpc => {
                let message = format!("the endpoint `{}` has no scheme", without_secrets(text));
                return Err(invalid("endpoint", message)
                    .with_context("remedy", "write http:// or https:// before the name of the host"));
            }
            None if config.insecure => format!("http://{text}"),
            None => format!("https://{text}"),
        };
        let unusable = || {
            invalid("endpoint", format!("the endpoint `{}` is not a URL", without_secrets(text)))
                .with_context("remedy", format!("write it like {default}"))
        };
        let mut url = Url::parse(&complete).map_err(|_| unusable())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(unusable());
        }
        if is_grpc {
            url.set_path(GRPC_PATH);
            url.set_query(None);
        } else if !has_path(&complete) {
            url.set_path(HTTP_PATH);
        }
        url.set_fragment(None);
        Ok(Self { url })
    }

    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

/// Without credentials and query.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_secrets(self.url.as_str()))
    }
}

/// Whether the URL is what people write for gRPC: its port, and no path.
pub(crate) fn is_for_grpc(url: &str) -> bool {
    !has_path(url) && Url::parse(url).is_ok_and(|url| url.has_host() && url.port() == Some(4317))
}

/// Whether the URL has a path, which `Url` cannot say: it gives each one a `/`.
fn has_path(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['?', '#']).next().is_some_and(|rest| rest.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::Endpoint;
    use crate::config::{OtlpConfig, Protocol};

    fn endpoint(text: &str, protocol: Protocol, insecure: bool) -> Result<String, String> {
        let endpoint = (!text.is_empty()).then(|| text.to_owned());
        let config = OtlpConfig { endpoint, protocol, insecure, ..OtlpConfig::default() };
        Endpoint::new(&config).map(|endpoint| endpoint.url().to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_is_added_where_there_is_none() {
        for (text, expected) in [
            ("", "http://localhost:4318/v1/traces"),
            ("http://h:1", "http://h:1/v1/traces"),
            ("http://h:1?a=b", "http://h:1/v1/traces?a=b"),
            ("http://h:1/", "http://h:1/"),
            ("https://h/custom/v1/traces", "https://h/custom/v1/traces"),
            ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
        ] {
            assert_eq!(endpoint(text, Protocol::HttpJson, false).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn grpc_takes_scheme_host_and_port_only() {
        let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
        for (text, insecure, host) in [
            ("", false, "http://localhost:4317"),
            ("http://h:1/v1/traces", false, "http://h:1"),
            ("https://h", true, "https://h"),
            ("h:1", false, "https://h:1"),
            ("h:1/v1/traces", true, "http://h:1"),
            ("localhost:4317", true, "http://localhost:4317"),
        ] {
            assert_eq!(endpoint(text, Protocol::Grpc, insecure), Ok(format!("{host}{path}")), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        let error = endpoint("user:hush@localhost:4318", Protocol::HttpProtobuf, true).unwrap_err();
        assert_eq!(
            error,
            "the endpoint `localhost:4318` has no scheme (key: endpoint; remedy: write http:// or https:// before the \
             name of the host)"
        );
        for text in ["ftp://h", "http://", "unix:///run/x", "http://h:99999"] {
            let error = endpoint(text, Protocol::HttpProtobuf, false).unwrap_err();
            assert!(error.contains("write it like http://localhost:4318"), "{error}");
        }
    }
}
