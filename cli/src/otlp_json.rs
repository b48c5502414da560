//! OTLP/JSON to OTLP protobuf.
//!
//! As tolerant as the specification asks of a receiver: unknown fields are left
//! alone, integers are texts or numbers, enumerations are numbers or names, `null` is
//! absence. What has no place in a span of ours is left out: schema URLs, the
//! attributes of an instrumentation scope, entities of a resource.
//!
//! Source: OTLP specification 1.x, section "JSON Protobuf Encoding"; ProtoJSON.

use serde_json::Value;
use spandrel_plugin_api::wire::{field, put_bytes, put_fixed32, put_fixed64, put_uint};

/// What is wrong with a document, for behind its place.
type Read<T> = Result<T, String>;

/// One `ExportTraceServiceRequest`.
pub(crate) fn request(document: &Value) -> Read<Vec<u8>> {
    if document.get("resourceSpans").is_none_or(Value::is_null) {
        return Err(match document.get("trace").is_some() && document.get("timestamp").is_some() {
            true => "a line of the format `log`, which is for log pipelines; set format = \"otlp\" of [provider.file]",
            false => "no traces as OTLP/JSON: it has no `resourceSpans`",
        }
        .to_owned());
    }
    message(document, |out, name, value| match name {
        "resourceSpans" => list(out, field::REQUEST_RESOURCE_SPANS, value, resource_spans),
        _ => Ok(()),
    })
}

fn resource_spans(value: &Value) -> Read<Vec<u8>> {
    message(value, |out, name, value| match name {
        "resource" => one(out, field::RESOURCE_SPANS_RESOURCE, resource(value)),
        "scopeSpans" => list(out, field::RESOURCE_SPANS_SCOPE_SPANS, value, scope_spans),
        _ => Ok(()),
    })
}

fn resource(value: &Value) -> Read<Vec<u8>> {
    message(value, |out, name, value| match name {
        "attributes" => list(out, field::RESOURCE_ATTRIBUTES, value, key_value),
        _ => Ok(()),
    })
}

fn scope_spans(value: &Value) -> Read<Vec<u8>> {
    message(value, |out, name, value| match name {
        "scope" => one(out, field::SCOPE_SPANS_SCOPE, scope(value)),
        "spans" => list(out, field::SCOPE_SPANS_SPANS, value, span),
        _ => Ok(()),
    })
}

fn scope(value: &Value) -> Read<Vec<u8>> {
    message(value, |out, name, value| match name {
        "name" => put_text(out, field::SCOPE_NAME, value),
        "version" => put_text(out, field::SCOPE_VERSION, value),
        _ => Ok(()),
    })
}

fn span(value: &Value) -> Read<Vec<u8>> {
    const KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

    let kind = |value: &Value| enumeration(value, "SPAN_KIND_", &KINDS);
    message(value, |out, name, value| match name {
        "traceId" => put_id(out, field::SPAN_TRACE_ID, value, 16),
        "spanId" => put_id(out, field::SPAN_SPAN_ID, value, 8),
        "traceState" => put_text(out, field::SPAN_TRACE_STATE, value),
        "parentSpanId" => put_id(out, field::SPAN_PARENT_SPAN_ID, value, 8),
        "flags" => put_flags(out, field::SPAN_FLAGS, value),
        "name" => put_text(out, field::SPAN_NAME, value),
        "kind" => kind(value).map(|kind| put_uint(out, field::SPAN_KIND, kind)),
        "startTimeUnixNano" => put_time(out, field::SPAN_START, value),
        "endTimeUnixNano" => put_time(out, field::SPAN_END, value),
        "attributes" => list(out, field::SPAN_ATTRIBUTES, value, key_value),
        "droppedAttributesCount" => put_count(out, field::SPAN_DROPPED_ATTRIBUTES, value),
        "events" => list(out, field::SPAN_EVENTS, value, event),
        "droppedEventsCount" => put_count(out, field::SPAN_DROPPED_EVENTS, value),
        "links" => list(out, field::SPAN_LINKS, value, link),
        "droppedLinksCount" => put_count(out, field::SPAN_DROPPED_LINKS, value),
        "status" => one(out, field::SPAN_STATUS, status(value)),
        _ => Ok(()),
    })
    .and_then(|span| {
        let is_there = |key| value.get(key).and_then(Value::as_str).is_some_and(|id| !id.is_empty());
        match is_there("traceId") && is_there("spanId") {
            true => Ok(span),
            false => Err("a span without `traceId` or `spanId`".to_owned()),
        }
    })
}

fn event(value: &Value) -> Read<Vec<u8>> {
    message(value, |out, name, value| match name {
        "timeUnixNano" => put_time(out, field::EVENT_TIME, value),
        "name" => put_text(out, field::EVENT_NAME, value),
        "attributes" => list(out, field::EVENT_ATTRIBUTES, value, key_value),
        "droppedAttributesCount" => put_count(out, field::EVENT_DROPPED_ATTRIBUTES, value),
        _ => Ok(()),
    })
}

fn link(value: &Value) -> Read<Vec<u8>> {
    message(value, |out, name, value| match name {
        "traceId" => put_id(out, field::LINK_TRACE_ID, value, 16),
        "spanId" => put_id(out, field::LINK_SPAN_ID, value, 8),
        "traceState" => put_text(out, field::LINK_TRACE_STATE, value),
        "attributes" => list(out, field::LINK_ATTRIBUTES, value, key_value),
        "droppedAttributesCount" => put_count(out, field::LINK_DROPPED_ATTRIBUTES, value),
        "flags" => put_flags(out, field::LINK_FLAGS, value),
        _ => Ok(()),
    })
}

fn status(value: &Value) -> Read<Vec<u8>> {
    let code = |value: &Value| enumeration(value, "STATUS_CODE_", &["UNSET", "OK", "ERROR"]);
    message(value, |out, name, value| match name {
        "message" => put_text(out, field::STATUS_MESSAGE, value),
        "code" => code(value).map(|code| put_uint(out, field::STATUS_CODE, code)),
        _ => Ok(()),
    })
}

fn key_value(value: &Value) -> Read<Vec<u8>> {
    message(value, |out, name, value| match name {
        "key" => put_text(out, field::KEY_VALUE_KEY, value),
        "value" => one(out, field::KEY_VALUE_VALUE, any_value(value)),
        _ => Ok(()),
    })
}

fn any_value(value: &Value) -> Read<Vec<u8>> {
    message(value, |out, name, value| {
        match name {
            "stringValue" => return put_text(out, field::ANY_STRING, value),
            "boolValue" => match value.as_bool() {
                Some(value) => put_uint(out, field::ANY_BOOL, value.into()),
                None => return wrong("true or false", value),
            },
            "intValue" => put_uint(out, field::ANY_INT, integer::<i64>(value)?.cast_unsigned()),
            "doubleValue" => put_fixed64(out, field::ANY_DOUBLE, double(value)?.to_bits()),
            "bytesValue" => put_bytes(out, field::ANY_BYTES, &base64(text(value)?)?),
            "arrayValue" => return one(out, field::ANY_ARRAY, values(value, any_value)),
            "kvlistValue" => return one(out, field::ANY_KEY_VALUE_LIST, values(value, key_value)),
            _ => {}
        }
        Ok(())
    })
}

fn values(value: &Value, item: fn(&Value) -> Read<Vec<u8>>) -> Read<Vec<u8>> {
    message(value, |out, name, value| match name {
        "values" => list(out, field::LIST_VALUES, value, item),
        _ => Ok(()),
    })
}

/// A message, made by a call for each of the fields that are there.
fn message(value: &Value, mut put: impl FnMut(&mut Vec<u8>, &str, &Value) -> Read<()>) -> Read<Vec<u8>> {
    let Value::Object(fields) = value else { return wrong("an object", value) };
    let mut out = Vec::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        put(&mut out, name, value).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(out)
}

/// A repeated field of messages.
fn list(out: &mut Vec<u8>, number: u32, value: &Value, item: impl Fn(&Value) -> Read<Vec<u8>>) -> Read<()> {
    let Value::Array(items) = value else { return wrong("an array", value) };
    items.iter().try_for_each(|value| one(out, number, item(value)))
}

fn one(out: &mut Vec<u8>, number: u32, message: Read<Vec<u8>>) -> Read<()> {
    put_bytes(out, number, &message?);
    Ok(())
}

fn put_text(out: &mut Vec<u8>, number: u32, value: &Value) -> Read<()> {
    put_bytes(out, number, text(value)?.as_bytes());
    Ok(())
}

fn put_time(out: &mut Vec<u8>, number: u32, value: &Value) -> Read<()> {
    put_fixed64(out, number, integer(value)?);
    Ok(())
}

fn put_flags(out: &mut Vec<u8>, number: u32, value: &Value) -> Read<()> {
    put_fixed32(out, number, integer(value)?);
    Ok(())
}

fn put_count(out: &mut Vec<u8>, number: u32, value: &Value) -> Read<()> {
    put_uint(out, number, integer::<u32>(value)?.into());
    Ok(())
}

/// Hexadecimal digits; an empty text is no id.
fn put_id(out: &mut Vec<u8>, number: u32, value: &Value, bytes: usize) -> Read<()> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(());
    }
    let id = hex(text).filter(|id| id.len() == bytes);
    let id = id.ok_or_else(|| format!("must have {} hexadecimal digits, not {value}", 2 * bytes))?;
    put_bytes(out, number, &id);
    Ok(())
}

/// Bytes from hexadecimal digits, two for each.
pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

fn text(value: &Value) -> Read<&str> {
    value.as_str().map_or_else(|| wrong("a text", value), Ok)
}

/// A whole number, or a text of its digits.
fn integer<T: TryFrom<i128>>(value: &Value) -> Read<T> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_i128().or_else(|| {
            // ProtoJSON allows `1e3`.
            number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 2_f64.powi(64)).map(|n| n as i128)
        }),
        _ => None,
    };
    number
        .and_then(|number| T::try_from(number).ok())
        .map_or_else(|| wrong("a whole number within its limits", value), Ok)
}

fn double(value: &Value) -> Read<f64> {
    let number = match value.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        Some(text) => text.parse().ok(),
        None => value.as_f64(),
    };
    number.map_or_else(|| wrong("a number", value), Ok)
}

/// A number, or the name of the value with or without its prefix.
fn enumeration(value: &Value, prefix: &str, names: &[&str]) -> Read<u64> {
    let Value::String(name) = value else { return integer::<u32>(value).map(u64::from) };
    let short = name.strip_prefix(prefix).unwrap_or(name);
    match names.iter().position(|known| *known == short) {
        Some(number) => Ok(number as u64),
        None => wrong(&format!("a number or one of {}", names.join(", ")), value),
    }
}

/// Base64 of either alphabet, with or without padding.
fn base64(text: &str) -> Read<Vec<u8>> {
    let digits = text.trim_end_matches('=').bytes().map(|byte| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    });
    let digits = digits.collect::<Option<Vec<u8>>>().ok_or("must be Base64")?;
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - group.len()));
        // Four digits are three bytes, three are two, two are one.
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len().max(1)]);
    }
    Ok(bytes)
}

fn wrong<T>(expected: &str, value: &Value) -> Read<T> {
    let mut shown: String = value.to_string().chars().take(60).collect();
    if shown.len() < value.to_string().len() {
        shown.push('…');
    }
    Err(format!("must be {expected}, not {shown}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use spandrel_plugin_api::json::write_batch;
    use spandrel_plugin_api::{SpanBatch, SpanReader};

    use super::{base64, request};

    fn written(document: &Value) -> Value {
        let bytes = request(document).unwrap();
        let parts = [&bytes[..]];
        let mut out = Vec::new();
        write_batch(&mut out, &SpanBatch::new(&parts, SpanReader::new(&parts).count())).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    fn of_span(span: &Value) -> Value {
        json!({ "resourceSpans": [{ "resource": { "attributes": [] }, "scopeSpans": [{ "scope": { "name": "s" }, "spans": [span] }] }] })
    }

    #[test]
    fn what_others_may_write_is_understood() {
        let theirs = of_span(&json!({
            "traceId": "4BF92F3577B34DA6A3CE929D0E0E4736", "spanId": "00f067aa0ba902b7", "parentSpanId": "",
            "traceState": null, "name": "x", "kind": "SPAN_KIND_SERVER", "startTimeUnixNano": 1, "endTimeUnixNano": "2",
            "flags": "257", "unknown": { "a": [1] }, "droppedEventsCount": "3",
            "attributes": [
                { "key": "i", "value": { "intValue": 7 } }, { "key": "n", "value": { "intValue": "-7" } },
                { "key": "e", "value": { "intValue": 1e3 } }, { "key": "d", "value": { "doubleValue": 3 } },
                { "key": "t", "value": { "doubleValue": "NaN" } }, { "key": "b", "value": { "bytesValue": "_-8" } },
                { "key": "m", "value": { "kvlistValue": { "values": [{ "key": "k", "value": {} }] } } },
                { "key": "l", "value": { "arrayValue": {} } },
            ],
            "status": { "code": "STATUS_CODE_ERROR", "message": "no" },
        }));
        let ours = of_span(&json!({
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "flags": 257, "name": "x",
            "kind": 2, "startTimeUnixNano": "1", "endTimeUnixNano": "2",
            "attributes": [
                { "key": "i", "value": { "intValue": "7" } }, { "key": "n", "value": { "intValue": "-7" } },
                { "key": "e", "value": { "intValue": "1000" } }, { "key": "d", "value": { "doubleValue": 3.0 } },
                { "key": "t", "value": { "doubleValue": "NaN" } }, { "key": "b", "value": { "bytesValue": "/+8=" } },
                { "key": "m", "value": { "kvlistValue": { "values": [{ "key": "k", "value": {} }] } } },
                { "key": "l", "value": { "arrayValue": { "values": [] } } },
            ],
            "droppedEventsCount": 3, "status": { "code": 2, "message": "no" },
        }));
        assert_eq!(written(&theirs), ours);
    }

    #[test]
    fn mistakes_are_answered_with_their_place() {
        let ids = |key: &str, value: Value| {
            let mut span = json!({ "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7" });
            span[key] = value;
            of_span(&span)
        };
        let at = "resourceSpans: scopeSpans: spans: ";
        for (document, message) in [
            (json!({ "resourceLogs": [] }), "no traces as OTLP/JSON: it has no `resourceSpans`".to_owned()),
            (json!({ "resourceSpans": {} }), "resourceSpans: must be an array, not {}".to_owned()),
            (ids("traceId", json!("12")), format!("{at}traceId: must have 32 hexadecimal digits, not \"12\"")),
            (ids("spanId", Value::Null), format!("{at}a span without `traceId` or `spanId`")),
            (
                ids("kind", json!("ODD")),
                format!(
                    "{at}kind: must be a number or one of UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER, not \"ODD\""
                ),
            ),
            (
                ids("endTimeUnixNano", json!(-1)),
                format!("{at}endTimeUnixNano: must be a whole number within its limits, not -1"),
            ),
            (ids("name", json!(7)), format!("{at}name: must be a text, not 7")),
        ] {
            assert_eq!(request(&document).map(|_| ()), Err(message));
        }
    }

    #[test]
    fn base64_of_every_length() {
        // Source: RFC 4648, section 10.
        for (text, bytes) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm8", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob")]
        {
            assert_eq!(base64(text), Ok(bytes.as_bytes().to_vec()), "{text}");
        }
        assert!(base64("Zm9v!").is_err());
    }
}
