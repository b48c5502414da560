use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use spandrel_plugin_api::SpanBatch;
use spandrel_post::{Tags, json_of, text_of};

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

#[test]
fn values_are_texts_and_the_last_of_a_key_counts() {
    let values = vec![any(Value::StringValue("x\"y".into())), any(Value::IntValue(-1)), AnyValue { value: None }];
    let list = Value::ArrayValue(ArrayValue { values });
    let map = Value::KvlistValue(KeyValueList {
        values: vec![KeyValue { key: "k".into(), value: Some(any(list.clone())), ..KeyValue::default() }],
    });
    let attributes = [
        ("again", Some(Value::IntValue(1))),
        ("text", Some(Value::StringValue("a\n".into()))),
        ("yes", Some(Value::BoolValue(true))),
        ("no", Some(Value::BoolValue(false))),
        ("whole", Some(Value::IntValue(i64::MIN))),
        ("half", Some(Value::DoubleValue(0.5))),
        ("three", Some(Value::DoubleValue(3.0))),
        ("nan", Some(Value::DoubleValue(f64::NAN))),
        ("endless", Some(Value::DoubleValue(f64::NEG_INFINITY))),
        ("bytes", Some(Value::BytesValue(b"abcd".to_vec()))),
        ("list", Some(list)),
        ("map", Some(map)),
        ("none", None),
        ("again", Some(Value::IntValue(2))),
    ];
    let attributes = attributes
        .into_iter()
        .map(|(key, value)| KeyValue { key: key.into(), value: value.map(any), ..KeyValue::default() })
        .collect();
    let span = Span { trace_id: vec![1; 16], span_id: vec![1; 8], attributes, ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    let bytes = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    let parts = [bytes.as_slice()];
    let span = SpanBatch::new(&parts, 1).spans().next().unwrap().unwrap();

    let mut tags = Tags::new();
    tags.extend_from_span(&span);
    let texts: Vec<_> =
        tags.clone().into_vec().into_iter().map(|(key, value)| (key, text_of(value).into_owned())).collect();
    let expected = [
        ("text", "a\n"),
        ("yes", "true"),
        ("no", "false"),
        ("whole", "-9223372036854775808"),
        ("half", "0.5"),
        ("three", "3.0"),
        ("nan", "NaN"),
        ("endless", "-Infinity"),
        ("bytes", "YWJjZA=="),
        ("list", r#"["x\"y",-1,null]"#),
        ("map", r#"{"k":["x\"y",-1,null]}"#),
        ("none", ""),
        ("again", "2"),
    ];
    assert_eq!(texts, expected.map(|(key, value)| (key, value.to_owned())));

    let json: serde_json::Value = serde_json::from_str(&json_of(tags)).unwrap();
    assert_eq!((&json["again"], &json["list"][1], &json["none"]), (&2.into(), &(-1).into(), &serde_json::Value::Null));
    assert_eq!(json_of(Tags::new()), "{}");
}
