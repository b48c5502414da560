//! OTLP/JSON to OTLP protobuf.
//!
//! As tolerant as the specification asks of a receiver: unknown fields are left
//! alone, integers are texts or numbers, enumerations are numbers or names, `null` is
//! absence. What has no place in a span of ours is left out: schema URLs, the
//! attributes of an instrumentation scope, entities of a resource.
//!
//! Source: OTLP specification 1.x, section "JSON Protobuf Encoding"; ProtoJSON.

mod quick;
mod schema;

use serde_json::Value;
use spandrel_plugin_api::wire::{put_bytes, put_fixed32, put_fixed64, put_uint};

use schema::{Kind, Message};

/// What is wrong with a document, for behind its place.
type Read<T> = Result<T, String>;

/// One `ExportTraceServiceRequest` from the text of a document.
pub(crate) fn request(text: &[u8]) -> Read<Vec<u8>> {
    // What most write is read without a tree; all else, and mistakes, with one.
    if let Some(request) = quick::request(text) {
        return Ok(request);
    }
    of_document(&serde_json::from_slice(text).map_err(|error| error.to_string())?)
}

fn of_document(document: &Value) -> Read<Vec<u8>> {
    if document.get("resourceSpans").is_none_or(Value::is_null) {
        return Err(match document.get("trace").is_some() && document.get("timestamp").is_some() {
            true => "a line of the format `log`, which is for log pipelines; set format = \"otlp\" of [provider.file]",
            false => "no traces as OTLP/JSON: it has no `resourceSpans`",
        }
        .to_owned());
    }
    message(document, &schema::REQUEST)
}

/// A message, made of the fields that are there.
fn message(value: &Value, schema: &Message) -> Read<Vec<u8>> {
    let Value::Object(fields) = value else { return wrong("an object", value) };
    let mut out = Vec::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        if let Some((number, kind)) = schema.field(name.as_bytes()) {
            put(&mut out, number, kind, value).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    let is_there = |name: &&str| match value.get(*name) {
        None | Some(Value::Null) => false,
        Some(value) => value != "",
    };
    match schema.required.iter().all(is_there) {
        true => Ok(out),
        false => Err(schema.incomplete.to_owned()),
    }
}

fn put(out: &mut Vec<u8>, number: u32, kind: &Kind, value: &Value) -> Read<()> {
    match kind {
        Kind::Text => put_bytes(out, number, text(value)?.as_bytes()),
        Kind::Id(bytes) => put_id(out, number, value, *bytes)?,
        Kind::Time => put_fixed64(out, number, integer(value)?),
        Kind::Flags => put_fixed32(out, number, integer(value)?),
        Kind::Count => put_uint(out, number, integer::<u32>(value)?.into()),
        Kind::Choice(prefix, names) => put_uint(out, number, enumeration(value, prefix, names)?),
        Kind::Boolean => match value.as_bool() {
            Some(value) => put_uint(out, number, value.into()),
            None => return wrong("true or false", value),
        },
        Kind::Integer => put_uint(out, number, integer::<i64>(value)?.cast_unsigned()),
        Kind::Double => put_fixed64(out, number, double(value)?.to_bits()),
        Kind::Bytes => put_bytes(out, number, &base64(text(value)?)?),
        Kind::One(schema) => put_bytes(out, number, &message(value, schema)?),
        Kind::List(schema) => {
            let Value::Array(items) = value else { return wrong("an array", value) };
            for item in items {
                put_bytes(out, number, &message(item, schema)?);
            }
        }
    }
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
    value.as_str().map_or_else(|| value.as_f64(), double_of).map_or_else(|| wrong("a number", value), Ok)
}

fn double_of(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        text => text.parse().ok(),
    }
}

/// A number, or the name of the value with or without its prefix.
fn enumeration(value: &Value, prefix: &str, names: &[&str]) -> Read<u64> {
    let Value::String(name) = value else { return integer::<u32>(value).map(u64::from) };
    match number_of(name, prefix, names) {
        Some(number) => Ok(number),
        None => wrong(&format!("a number or one of {}", names.join(", ")), value),
    }
}

fn number_of(name: &str, prefix: &str, names: &[&str]) -> Option<u64> {
    let short = name.strip_prefix(prefix).unwrap_or(name);
    names.iter().position(|known| *known == short).map(|number| number as u64)
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

    use super::{base64, of_document, quick, request};

    fn written(document: &Value) -> Value {
        shown(&of_document(document).unwrap())
    }

    fn shown(bytes: &[u8]) -> Value {
        let parts = [bytes];
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
    fn the_quick_way_comes_to_the_same() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let long = "käse \"🧀\"\n".repeat(3_000);
        let full = json!({
            "traceId": id, "spanId": "00f067aa0ba902b7", "parentSpanId": "00f067aa0ba902b8", "traceState": "a=1",
            "name": long, "kind": 2, "startTimeUnixNano": "1", "endTimeUnixNano": "1755358027000000000", "flags": 257,
            "unknown": { "a": [1, null] }, "droppedAttributesCount": 3,
            "attributes": [
                { "key": "s", "value": { "stringValue": "x" } }, { "key": "i", "value": { "intValue": "-7" } },
                { "key": "n", "value": { "intValue": 7 } }, { "key": "d", "value": { "doubleValue": 0.5 } },
                { "key": "t", "value": { "doubleValue": "NaN" } }, { "key": "b", "value": { "boolValue": true } },
                { "key": "y", "value": { "bytesValue": "/+8=" } }, { "key": "e", "value": {} },
                { "key": "l", "value": { "arrayValue": { "values": [{ "stringValue": "x" }, { "kvlistValue": { "values": [] } }] } } },
            ],
            "events": [{ "timeUnixNano": "5", "name": "e", "attributes": [] }],
            "links": [{ "traceId": id, "spanId": "00f067aa0ba902b7", "attributes": [] }],
            "status": { "code": "STATUS_CODE_ERROR", "message": "no" },
        });
        let text = of_span(&full).to_string();
        let bytes = quick::request(text.as_bytes()).unwrap();
        assert_eq!(shown(&bytes), written(&of_span(&full)));
        // What it does not know is left to the other way, which knows or says why not.
        for (key, value) in [
            ("traceId", json!("12")),
            ("spanId", json!("")),
            ("traceState", Value::Null),
            ("kind", json!("ODD")),
            ("flags", json!(-1)),
            ("startTimeUnixNano", json!(1.5)),
            ("name", json!(7)),
            ("events", json!({})),
        ] {
            let mut other = full.clone();
            other[key] = value;
            let text = of_span(&other).to_string();
            assert!(quick::request(text.as_bytes()).is_none(), "{key}");
            assert_eq!(request(text.as_bytes()), of_document(&of_span(&other)), "{key}");
        }
        for text in [
            "{}",
            "[]",
            "{\"resourceSpans\":[]} x",
            "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{}]}]}]}",
            "",
            "{\"resourceSpans\":[],\"\\ud800\":1}",
        ] {
            assert!(quick::request(text.as_bytes()).is_none(), "{text}");
        }
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
            assert_eq!(request(document.to_string().as_bytes()).map(|_| ()), Err(message));
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
