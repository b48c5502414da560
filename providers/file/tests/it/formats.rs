use std::fs;

use serde_json::json;
use spandrel_plugin_api::wire::{field, put_bytes, put_fixed32, put_fixed64, put_uint};
use spandrel_plugin_api::{SpanBatch, SpanExporter};
use spandrel_provider_file::Format;

use crate::support::{Directory, lines, message, open, request, span};

fn put_attribute(out: &mut Vec<u8>, number: u32, key: &str, value: &[u8]) {
    let attribute = message(|out| {
        put_bytes(out, field::KEY_VALUE_KEY, key.as_bytes());
        put_bytes(out, field::KEY_VALUE_VALUE, value);
    });
    put_bytes(out, number, &attribute);
}

fn text(value: &str) -> Vec<u8> {
    message(|out| put_bytes(out, field::ANY_STRING, value.as_bytes()))
}

fn integer(value: i64) -> Vec<u8> {
    message(|out| put_uint(out, field::ANY_INT, value as u64))
}

fn double(value: f64) -> Vec<u8> {
    message(|out| put_fixed64(out, field::ANY_DOUBLE, value.to_bits()))
}

/// A span with everything that OTLP has.
fn rich_span() -> Vec<u8> {
    let mut out = span("checkout \"one\"\n");
    put_bytes(&mut out, field::SPAN_TRACE_STATE, b"v=1");
    put_bytes(&mut out, field::SPAN_PARENT_SPAN_ID, &[0x0b; 8]);
    put_fixed32(&mut out, field::SPAN_FLAGS, 0x101);

    let attributes = [
        ("text", text("käse")),
        ("yes", message(|out| put_uint(out, field::ANY_BOOL, 1))),
        ("integer", integer(-3)),
        ("double", double(0.5)),
        ("nan", double(f64::NAN)),
        ("bytes", message(|out| put_bytes(out, field::ANY_BYTES, &[1, 2, 3, 4]))),
        (
            "list",
            message(|out| {
                let elements = message(|out| {
                    put_bytes(out, field::LIST_VALUES, &integer(1));
                    put_bytes(out, field::LIST_VALUES, &text("two"));
                });
                put_bytes(out, field::ANY_ARRAY, &elements);
            }),
        ),
        (
            "map",
            message(|out| {
                let entries = message(|out| put_attribute(out, field::LIST_VALUES, "a", &integer(1)));
                put_bytes(out, field::ANY_KEY_VALUE_LIST, &entries);
            }),
        ),
        ("empty", vec![]),
        ("service.name", text("of the span")),
    ];
    for (key, value) in &attributes {
        put_attribute(&mut out, field::SPAN_ATTRIBUTES, key, value);
    }
    put_uint(&mut out, field::SPAN_DROPPED_ATTRIBUTES, 2);

    let event = message(|out| {
        put_fixed64(out, field::EVENT_TIME, 1_755_358_027_001_999_999);
        put_bytes(out, field::EVENT_NAME, b"paid");
        put_attribute(out, field::EVENT_ATTRIBUTES, "amount", &double(9.5));
    });
    put_bytes(&mut out, field::SPAN_EVENTS, &event);

    let link = message(|out| {
        put_bytes(out, field::LINK_TRACE_ID, &[0x4c; 16]);
        put_bytes(out, field::LINK_SPAN_ID, &[0x0c; 8]);
        put_attribute(out, field::LINK_ATTRIBUTES, "why", &text("retry"));
    });
    put_bytes(&mut out, field::SPAN_LINKS, &link);

    let status = message(|out| {
        put_bytes(out, field::STATUS_MESSAGE, b"card declined");
        put_uint(out, field::STATUS_CODE, 2);
    });
    put_bytes(&mut out, field::SPAN_STATUS, &status);
    out
}

/// Exports a span in a format and reads what is in the file then.
fn written(format: Format, span: &[u8]) -> String {
    let directory = Directory::new();
    let resource = message(|out| {
        put_attribute(out, field::RESOURCE_ATTRIBUTES, "service.name", &text("shop"));
        put_attribute(out, field::RESOURCE_ATTRIBUTES, "service.version", &text("1.0.0"));
    });
    let mut exporter = open(&directory.trace_file(), |config| config.format = format);
    exporter.export(&SpanBatch::new(&[&request(&resource, span)], 1)).unwrap();
    fs::read_to_string(directory.trace_file()).unwrap()
}

#[test]
fn otlp_has_everything() {
    let expected = concat!(
        r#"{"resourceSpans":[{"resource":{"attributes":["#,
        r#"{"key":"service.name","value":{"stringValue":"shop"}},"#,
        r#"{"key":"service.version","value":{"stringValue":"1.0.0"}}]},"#,
        r#""scopeSpans":[{"scope":{"name":"shop","version":"1.2.3"},"spans":[{"#,
        r#""traceId":"4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b","spanId":"0a0a0a0a0a0a0a0a","traceState":"v=1","#,
        r#""parentSpanId":"0b0b0b0b0b0b0b0b","flags":257,"name":"checkout \"one\"\n","kind":2,"#,
        r#""startTimeUnixNano":"1755358022790000000","endTimeUnixNano":"1755358027073000000","attributes":["#,
        r#"{"key":"text","value":{"stringValue":"käse"}},"#,
        r#"{"key":"yes","value":{"boolValue":true}},"#,
        r#"{"key":"integer","value":{"intValue":"-3"}},"#,
        r#"{"key":"double","value":{"doubleValue":0.5}},"#,
        r#"{"key":"nan","value":{"doubleValue":"NaN"}},"#,
        r#"{"key":"bytes","value":{"bytesValue":"AQIDBA=="}},"#,
        r#"{"key":"list","value":{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"two"}]}}},"#,
        r#"{"key":"map","value":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}}]}}},"#,
        r#"{"key":"empty","value":{}},"#,
        r#"{"key":"service.name","value":{"stringValue":"of the span"}}],"droppedAttributesCount":2,"#,
        r#""events":[{"timeUnixNano":"1755358027001999999","name":"paid","#,
        r#""attributes":[{"key":"amount","value":{"doubleValue":9.5}}]}],"#,
        r#""links":[{"traceId":"4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c","spanId":"0c0c0c0c0c0c0c0c","#,
        r#""attributes":[{"key":"why","value":{"stringValue":"retry"}}]}],"#,
        r#""status":{"message":"card declined","code":2}}]}]}]}"#,
        "\n"
    );
    assert_eq!(written(Format::Otlp, &rich_span()), expected);
}

#[test]
fn a_log_line_has_the_shape_of_a_structured_log() {
    let expected = concat!(
        r#"{"timestamp":"2025-08-16T15:27:07.073Z","level":"ERROR","message":"TRACE: checkout \"one\"\n","#,
        r#""trace":{"traceId":"4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b","spanId":"0a0a0a0a0a0a0a0a","#,
        r#""parentSpanId":"0b0b0b0b0b0b0b0b","operation":"checkout \"one\"\n","kind":"server","#,
        r#""duration":"4283ms","status":"ERROR","statusMessage":"card declined"},"#,
        r#""attributes":{"service.version":"1.0.0","text":"käse","yes":true,"integer":-3,"double":0.5,"#,
        r#""nan":"NaN","bytes":"AQIDBA==","list":[1,"two"],"map":{"a":1},"empty":null,"#,
        r#""service.name":"of the span"},"#,
        r#""events":[{"name":"paid","timestamp":1755358027001,"attributes":{"amount":9.5}}]}"#,
        "\n"
    );
    assert_eq!(written(Format::Log, &rich_span()), expected);
}

#[test]
fn a_log_line_leaves_out_what_a_span_has_not() {
    let expected = concat!(
        r#"{"timestamp":"2025-08-16T15:27:07.073Z","level":"INFO","message":"TRACE: checkout","#,
        r#""trace":{"traceId":"4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b","spanId":"0a0a0a0a0a0a0a0a","#,
        r#""operation":"checkout","kind":"server","duration":"4283ms","status":"UNSET"},"#,
        r#""attributes":{"service.name":"shop","service.version":"1.0.0"},"events":[]}"#,
        "\n"
    );
    assert_eq!(written(Format::Log, &span("checkout")), expected);
}

#[test]
fn a_json_log_line_has_a_fixed_set_of_keys() {
    let expected = concat!(
        r#"{"timestamp":"2025-08-16T15:27:07.073Z","level":"ERROR","message":"TRACE: checkout \"one\"\n","#,
        r#""trace":{"traceId":"4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b","spanId":"0a0a0a0a0a0a0a0a","#,
        r#""operation":"checkout \"one\"\n","duration":"4283ms","status":"ERROR"},"#,
        r#""attributes":{"service.version":"1.0.0","text":"käse","yes":true,"integer":-3,"double":0.5,"#,
        r#""nan":"NaN","bytes":"AQIDBA==","list":[1,"two"],"map":{"a":1},"empty":null,"#,
        r#""service.name":"of the span"},"#,
        r#""events":[{"name":"paid","timestamp":1755358027001}]}"#,
        "\n"
    );
    assert_eq!(written(Format::JsonLog, &rich_span()), expected);

    let expected = concat!(
        r#"{"timestamp":"2025-08-16T15:27:07.073Z","level":"INFO","message":"TRACE: checkout","#,
        r#""trace":{"traceId":"4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b","spanId":"0a0a0a0a0a0a0a0a","#,
        r#""operation":"checkout","duration":"4283ms","status":"OK"},"#,
        r#""attributes":{"service.name":"shop","service.version":"1.0.0"}}"#,
        "\n"
    );
    assert_eq!(written(Format::JsonLog, &span("checkout")), expected);
}

#[test]
fn a_batch_is_a_line_in_otlp_and_a_span_is_one_in_log() {
    for (format, expected) in [(Format::Otlp, 1), (Format::Log, 2), (Format::JsonLog, 2)] {
        let directory = Directory::new();
        let mut exporter = open(&directory.trace_file(), |config| config.format = format);
        let (first, second) = (request(&[], &span("first")), request(&[], &span("second")));
        exporter.export(&SpanBatch::new(&[&first, &second], 2)).unwrap();
        exporter.export(&SpanBatch::new(&[], 0)).unwrap();
        assert_eq!(lines(&directory.trace_file()).len(), expected, "{format:?}");
    }
}

#[test]
fn a_malformed_batch_leaves_nothing() {
    for format in [Format::Otlp, Format::Log, Format::JsonLog] {
        let directory = Directory::new();
        let mut exporter = open(&directory.trace_file(), |config| config.format = format);
        let good = request(&[], &span("good"));
        assert!(exporter.export(&SpanBatch::new(&[&good, &[0x0a, 5, 1]], 2)).is_err());
        assert_eq!(json!(lines(&directory.trace_file())), json!([]));
    }
}
