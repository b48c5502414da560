use std::fmt;
use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue};
use spandrel_plugin_api::config::{Reader, Value};
use spandrel_plugin_api::{Error, ErrorKind};

use crate::text::{percent_decoded, without_secrets};

/// How requests are made.
///
/// `Debug` shows no secret: neither values of headers nor credentials in URLs.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Sent with each request, as for authentication.
    pub headers: HeaderMap,
    /// Most milliseconds for one request and its answer.
    pub timeout_ms: u64,
    /// URL of the proxy, or `none`; `None` is what the environment says.
    pub proxy: Option<String>,
    /// PEM file of the authorities to trust in place of those of the system.
    pub certificate: Option<PathBuf>,
}

impl Settings {
    /// Reads the keys of a provider's table that all of them have.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConfigInvalid`], with the key in the context `key`.
    pub fn from_table(table: &mut Reader<'_>) -> Result<Self, Error> {
        let default = Self::default();
        Ok(Self {
            headers: headers(table)?,
            timeout_ms: table.integer("timeout_ms")?.unwrap_or(default.timeout_ms),
            proxy: table.text("proxy")?.map(str::to_owned),
            certificate: table.text("certificate")?.map(PathBuf::from),
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { headers: HeaderMap::new(), timeout_ms: 10_000, proxy: None, certificate: None }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("headers", &self.headers.keys().map(AsRef::as_ref).collect::<Vec<&str>>())
            .field("timeout_ms", &self.timeout_ms)
            .field("proxy", &self.proxy.as_deref().map(without_secrets))
            .field("certificate", &self.certificate)
            .finish()
    }
}

/// Refuses a `timeout_ms` in which nothing can be done.
///
/// # Errors
///
/// [`ErrorKind::ConfigInvalid`] if it is 0.
pub fn check_timeout(milliseconds: u64) -> Result<(), Error> {
    if milliseconds == 0 {
        let message = "`timeout_ms` must be at least 1, because no request is answered in no time";
        return Err(invalid("timeout_ms", message).with_context("remedy", "set it to 10000, or leave it out"));
    }
    Ok(())
}

/// The error for a key whose value cannot be used.
pub fn invalid(key: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::ConfigInvalid, message).with_context("key", key)
}

/// Reads `headers`: a table, or a text as in `OTEL_EXPORTER_OTLP_HEADERS`.
///
/// No error shows a value, as it may be a secret.
fn headers(table: &mut Reader<'_>) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str| {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("`{}` is no name of a header", name.escape_debug()))?;
        let mut value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| format!("the value of the header `{name}` has characters that a header cannot have"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
        Ok(())
    };
    let added: Result<(), String> = match table.value("headers") {
        None => Ok(()),
        Some(Value::Table(pairs)) => pairs.keys().try_for_each(|name| match pairs.get(name) {
            Some(Value::Text(text)) => add(name, text),
            // A variable that looks like a number was taken for one.
            Some(number @ (Value::Integer(_) | Value::Boolean(_))) => add(name, &number.to_string()),
            _ => Err(format!("the value of the header `{name}` must be a text")),
        }),
        Some(Value::Text(text)) => {
            let mut pairs = text.split(',').enumerate().filter(|(_, pair)| !pair.trim().is_empty());
            pairs.try_for_each(|(i, pair)| match pair.split_once('=') {
                Some((name, value)) => add(&percent_decoded(name.trim()), &percent_decoded(value.trim())),
                None => Err(format!("entry {} of `headers` has no `=`", i + 1)),
            })
        }
        Some(_) => Err("`headers` must be a table, or a text like \"api-key=x,tenant=y\"".to_owned()),
    };
    added.map(|()| headers).map_err(|message| table.error("headers", message))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use spandrel_plugin_api::Error;
    use spandrel_plugin_api::config::{Reader, Table};

    use super::{Settings, check_timeout};

    fn read(text: &str) -> Result<Settings, Error> {
        let (table, _) = Table::parse(text, "test")?;
        Reader::read(&table, Settings::from_table)
    }

    #[test]
    fn every_setting_has_a_default() {
        assert_eq!(read("").unwrap(), Settings::default());
        let settings = read("timeout_ms = 7\nproxy = 'none'\ncertificate = '/a'\nheaders = {a = 'b'}").unwrap();
        assert_eq!((settings.timeout_ms, settings.proxy.as_deref()), (7, Some("none")));
        assert_eq!(
            (settings.certificate.as_deref(), settings.headers["a"].as_bytes()),
            (Some("/a".as_ref()), &b"b"[..])
        );

        let error = check_timeout(0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`timeout_ms` must be at least 1, because no request is answered in no time (key: timeout_ms; remedy: set \
             it to 10000, or leave it out)"
        );
    }

    #[test]
    fn headers_are_a_table_or_a_text() {
        for text in [
            "[headers]\nX-Api-Key = 'a, b=c'\ntenant = 7",
            "headers = 'x-api-key=a%2C%20b=c , tenant = 7,,'",
            "headers = 'X-Api-Key=z,x-api-key=a%2c b=c,tenant=7'",
        ] {
            let headers = read(text).unwrap().headers;
            assert_eq!(headers.len(), 2, "{text}");
            assert_eq!(
                (&headers["x-api-key"], &headers["tenant"]),
                (&"a, b=c".parse().unwrap(), &"7".parse().unwrap())
            );
            assert!(headers.values().all(HeaderValue::is_sensitive));
        }
        assert!(read("headers = ''").unwrap().headers.is_empty());
    }

    #[test]
    fn no_secret_is_shown() {
        for (text, message) in [
            ("headers = 'a=1,hush'", "entry 2 of `headers` has no `=`"),
            ("headers = 'a b=hush'", "`a b` is no name of a header"),
            ("headers = 'a=hush%0Ab'", "the value of the header `a` has characters that a header cannot have"),
            ("headers = ['hush']", "`headers` must be a table, or a text like \"api-key=x,tenant=y\""),
            ("[headers]\na = ['hush']", "the value of the header `a` must be a text"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!((error.message(), error.context("key")), (message, Some("headers")));
            assert!(!error.to_string().contains("hush"), "{error}");
        }
        let shown = format!("{:?}", read("headers = 'api-key=hush'\nproxy = 'http://a:hush@p:1'").unwrap());
        assert!(!shown.contains("hush") && shown.contains("api-key") && shown.contains("http://p:1"), "{shown}");
    }
}
