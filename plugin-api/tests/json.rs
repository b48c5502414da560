//! The JSON writer against serde_json.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Request;
use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue as ProtoAny, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};
use spandrel_plugin_api::SpanReader;
use spandrel_plugin_api::json::{Object, object};

fn written(fill: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = Vec::new();
    object(&mut out, fill);
    String::from_utf8(out).unwrap()
}

/// Texts with as many as possible of the characters that are escaped.
fn text() -> impl Strategy<Value = String> {
    let special = prop::char::ranges(vec!['\0'..='\u{ff}', '\u{2028}'..='\u{202e}'].into());
    prop::collection::vec(prop_oneof![special, any::<char>(), Just('"'), Just('\\')], 0..40)
        .prop_map(|text| text.into_iter().collect())
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![any::<u64>().prop_map(f64::from_bits), -1e20..1e20, any::<i32>().prop_map(f64::from), -1e-3..1e-3]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_to_the_byte(key in text(), value in text()) {
        let expected = serde_json::to_string(&json!({ &key: &value })).unwrap();
        prop_assert_eq!(&written(|o| o.text(&key, &value)), &expected);
        prop_assert_eq!(&written(|o| o.display(&key, &value)), &expected);
    }

    #[test]
    fn doubles_to_the_bit(value in double()) {
        let text = written(|o| o.float("k", value));
        let json: Value = serde_json::from_str(&text).unwrap();
        match &json["k"] {
            Value::String(name) => {
                // The names are those that Rust's parser knows, too.
                let named: f64 = name.parse().unwrap();
                prop_assert!(!value.is_finite() && (named == value || named.is_nan() && value.is_nan()), "{}", name);
            }
            number => prop_assert_eq!(number.as_f64().map(f64::to_bits), Some(value.to_bits()), "{}", text),
        }
        if value.is_finite() {
            let theirs = serde_json::to_string(&json!({ "k": value })).unwrap();
            // At most they say `1e+16` or `0.00001` where we say `1e16` or `1e-5`.
            prop_assert!(text.len() <= theirs.len(), "{} is longer than {}", text, theirs);
        }
    }

    #[test]
    fn integers_to_the_byte(unsigned in any::<u64>(), signed in any::<i64>(), small in any::<i8>()) {
        let text = written(|o| {
            o.number("a", unsigned);
            o.number("b", signed);
            o.number("c", small);
        });
        prop_assert_eq!(text, serde_json::to_string(&json!({ "a": unsigned, "b": signed, "c": small })).unwrap());
    }
}

fn pair(key: &str, value: ProtoValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(ProtoAny { value: Some(value) }), ..KeyValue::default() }
}

/// Writes the attributes of a span behind those of its resource.
fn attributes(resource: Vec<KeyValue>, span: Vec<KeyValue>) -> String {
    let span = Span { trace_id: vec![1; 16], span_id: vec![1; 8], attributes: span, ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource = Some(Resource { attributes: resource, ..Resource::default() });
    let request = Request { resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }] };
    let message = request.encode_to_vec();
    let parts: &[&[u8]] = &[&message];
    let span = SpanReader::new(parts).next().unwrap().unwrap();
    written(|o| o.attributes("k", &[span.resource(), span.attributes()]))
}

#[test]
fn of_equal_keys_the_last_is_written() {
    use ProtoValue::IntValue as Int;
    let inner = KeyValueList { values: vec![pair("x", Int(1)), pair("x", Int(2)), pair("y", Int(3))] };
    let text = attributes(
        vec![pair("a", Int(1)), pair("b", Int(2)), pair("a", Int(3))],
        vec![pair("b", Int(4)), pair("c", Int(5)), pair("", ProtoValue::KvlistValue(inner))],
    );
    assert_eq!(text, r#"{"k":{"a":3,"b":4,"c":5,"":{"x":2,"y":3}}}"#);
}

#[test]
fn values_of_every_type_are_plain() {
    let any = |value| ProtoAny { value };
    let values =
        vec![any(Some(ProtoValue::StringValue("\"".into()))), any(None), any(Some(ProtoValue::DoubleValue(f64::NAN)))];
    let text = attributes(
        vec![],
        vec![
            pair("list", ProtoValue::ArrayValue(ArrayValue { values })),
            pair("none", ProtoValue::ArrayValue(ArrayValue { values: vec![] })),
            pair("yes", ProtoValue::BoolValue(true)),
            pair("integer", ProtoValue::IntValue(i64::MIN)),
            pair("double", ProtoValue::DoubleValue(2.0)),
            pair("bytes", ProtoValue::BytesValue(vec![0xfb, 0xff, 0xfe, 1])),
            pair("map", ProtoValue::KvlistValue(KeyValueList::default())),
        ],
    );
    let expected = concat!(
        r#"{"k":{"list":["\"",null,"NaN"],"none":[],"yes":true,"integer":-9223372036854775808,"#,
        r#""double":2.0,"bytes":"+//+AQ==","map":{}}}"#
    );
    assert_eq!(text, expected);
}
