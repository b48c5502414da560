use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use hyper::Uri;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use serde::Deserialize;
use spandrel_plugin_api::{Error, ErrorKind, config};

/// The table `[provider.webhook]`, checked.
#[derive(Debug)]
pub struct WebhookConfig {
    pub(crate) endpoint: Uri,
    /// All headers of a request but its length.
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
}

/// The table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    endpoint: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    timeout_ms: Option<NonZeroU64>,
}

impl WebhookConfig {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConfigInvalid`] that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let table: Table = config::deserialize(text)?;
        let endpoint = table.endpoint.ok_or_else(|| no_endpoint("`endpoint` is missing"))?;
        let endpoint: Uri =
            endpoint.parse().map_err(|error| no_endpoint("`endpoint` is no address").with_source(error))?;
        let host = endpoint.host().unwrap_or_default();
        let host = endpoint.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        // A user, or a port that is no number of one, is there and not in this.
        if endpoint.scheme_str() != Some("http") || endpoint.authority().is_none_or(|said| said != host.as_str()) {
            return Err(no_endpoint("`endpoint` must be `http://`, a host, a port if it is not 80, and a path"));
        }

        let mut headers = HeaderMap::new();
        headers.insert(HOST, value("endpoint", &host)?);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("spandrel-webhook/", env!("CARGO_PKG_VERSION"))));
        for (name, text) in &table.headers {
            let key = format!("headers.{name}");
            let name = HeaderName::try_from(name);
            headers.insert(name.map_err(|_| invalid(&key, "not the name of a header"))?, value(&key, text)?);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        // Batches come about once a second. A connection that is kept costs a batch
        // each time the other side has closed it, and a forked child would share it.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let timeout = Duration::from_millis(table.timeout_ms.map_or(10_000, NonZeroU64::get));
        Ok(Self { endpoint, headers, timeout })
    }
}

/// Its text is left out of errors and of `Debug`: it may be a secret.
fn value(key: &str, text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(text).map_err(|_| invalid(key, "not the value of a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn no_endpoint(message: &str) -> Error {
    invalid("endpoint", message).with_context("remedy", "set endpoint = \"http://collector:4318/v1/traces\"")
}

fn invalid(key: &str, message: &str) -> Error {
    Error::new(ErrorKind::ConfigInvalid, message).with_context("key", key)
}

#[cfg(test)]
mod tests {
    use super::WebhookConfig;

    #[test]
    fn mistakes_name_the_key() {
        for (text, key) in [
            ("", "`endpoint` is missing (key: endpoint"),
            ("endpoint = 'no address'", "key: endpoint"),
            ("endpoint = 'http://host:99999/'", "key: endpoint"),
            ("endpoint = 'https://host/'", "must be `http://`"),
            ("endpoint = 'http://me:secret@host/'", "must be `http://`"),
            ("endpoint = '/v1/traces'", "key: endpoint"),
            ("endpont = 'http://host/'", "unknown field `endpont`, expected one of `endpoint`"),
            ("endpoint = 'http://host/'\ntimeout_ms = 0", "zero"),
            ("endpoint = 'http://host/'\nheaders = { 'a b' = 'x' }", "key: headers.a b"),
            ("endpoint = 'http://host/'\nheaders = { a = \"secret\\n\" }", "key: headers.a"),
        ] {
            let error = WebhookConfig::parse(text).unwrap_err().to_string();
            assert!(error.contains(key) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
