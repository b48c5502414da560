use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use spandrel_plugin_api::Error;
use spandrel_plugin_api::config::{Reader, Value};

use crate::text::percent_decoded;

/// Reads `headers`: a table, or a text as in `OTEL_EXPORTER_OTLP_HEADERS`.
///
/// No error shows a value, as it may be a secret.
///
/// Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter",
/// "Specifying headers via environment variables".
pub(crate) fn read(table: &mut Reader<'_>) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    match table.value("headers") {
        None => {}
        Some(Value::Table(pairs)) => {
            for name in pairs.keys() {
                let value = match pairs.get(name) {
                    Some(Value::Text(text)) => text.clone(),
                    // A variable that looks like a number was taken for one.
                    Some(number @ (Value::Integer(_) | Value::Boolean(_))) => number.to_string(),
                    _ => return Err(refused(table, &format!("the value of the header `{name}` must be a text"))),
                };
                add(&mut headers, name, &value).map_err(|message| refused(table, &message))?;
            }
        }
        Some(Value::Text(text)) => {
            for (i, pair) in text.split(',').enumerate().filter(|(_, pair)| !pair.trim().is_empty()) {
                let Some((name, value)) = pair.split_once('=') else {
                    return Err(refused(table, &format!("entry {} of `headers` has no `=`", i + 1)));
                };
                let name = percent_decoded(name.trim());
                add(&mut headers, &name, &percent_decoded(value.trim())).map_err(|message| refused(table, &message))?;
            }
        }
        Some(_) => return Err(refused(table, "`headers` must be a table, or a text like \"api-key=x,tenant=y\"")),
    }
    Ok(headers)
}

fn refused(table: &Reader<'_>, message: &str) -> Error {
    table.error("headers", message)
}

fn add(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let key = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`{}` is no name of a header", name.escape_debug()))?;
    let mut value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| format!("the value of the header `{name}` has characters that a header cannot have"))?;
    value.set_sensitive(true);
    headers.insert(key, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;
    use spandrel_plugin_api::config::parse;

    use crate::OtlpConfig;

    #[test]
    fn both_forms_are_understood() {
        for text in [
            "[headers]\nX-Api-Key = 'a, b=c'\ntenant = 7",
            "headers = 'x-api-key=a%2C%20b=c , tenant = 7,,'",
            "headers = 'X-Api-Key=z,x-api-key=a%2c b=c,tenant=7'",
        ] {
            let headers = parse::<OtlpConfig>(text).unwrap().headers;
            assert_eq!(headers.len(), 2, "{text}");
            assert_eq!(
                (&headers["x-api-key"], &headers["tenant"]),
                (&"a, b=c".parse().unwrap(), &"7".parse().unwrap())
            );
            assert!(headers.values().all(HeaderValue::is_sensitive));
        }
        assert!(parse::<OtlpConfig>("headers = ''").unwrap().headers.is_empty());
    }

    #[test]
    fn no_error_shows_a_value() {
        for (text, message) in [
            ("headers = 'a=1,hush'", "entry 2 of `headers` has no `=`"),
            ("headers = 'a b=hush'", "`a b` is no name of a header"),
            ("headers = 'a=hush%0Ab'", "the value of the header `a` has characters that a header cannot have"),
            ("headers = ['hush']", "`headers` must be a table, or a text like \"api-key=x,tenant=y\""),
            ("[headers]\na = ['hush']", "the value of the header `a` must be a text"),
        ] {
            let error = parse::<OtlpConfig>(text).unwrap_err();
            assert_eq!((error.message(), error.context("key")), (message, Some("headers")));
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }
}
