//! Jaeger's Thrift, by Apache's implementation of the binary protocol.
//!
//! Source: `jaeger.thrift` of <https://github.com/jaegertracing/jaeger-idl>.

use std::io::Cursor;

use serde_json::{Map, Value, json};
use thrift::protocol::{TBinaryInputProtocol, TInputProtocol, TType};

use crate::json::{list, put_once};
use crate::messages::double;

/// The fields of a struct, from number 1 on: a name, and the struct in it or in its list.
type Fields = &'static [(&'static str, Option<Struct>)];

#[derive(Clone, Copy)]
struct Struct(fn() -> Fields);

const BATCH: Struct = Struct(|| &[("process", Some(PROCESS)), ("spans", Some(SPAN))]);
const PROCESS: Struct = Struct(|| &[("serviceName", None), ("tags", Some(TAG))]);
const SPAN: Struct = Struct(|| {
    &[
        ("traceIdLow", None),
        ("traceIdHigh", None),
        ("spanId", None),
        ("parentSpanId", None),
        ("operationName", None),
        ("references", Some(REFERENCE)),
        ("flags", None),
        ("startTime", None),
        ("duration", None),
        ("tags", Some(TAG)),
        ("logs", Some(LOG)),
    ]
});
const REFERENCE: Struct =
    Struct(|| &[("refType", None), ("traceIdLow", None), ("traceIdHigh", None), ("spanId", None)]);
const LOG: Struct = Struct(|| &[("timestamp", None), ("fields", Some(TAG))]);
const TAG: Struct = Struct(|| {
    &[
        ("key", None),
        ("vType", None),
        ("vStr", None),
        ("vDouble", None),
        ("vBool", None),
        ("vLong", None),
        ("vBinary", None),
    ]
});

/// The spans of a batch.
pub(crate) fn spans(bytes: &[u8]) -> Vec<Value> {
    let mut input = TBinaryInputProtocol::new(Cursor::new(bytes), true);
    let batch = read_struct(&mut input, BATCH);
    assert!(input.read_byte().is_err(), "there is more than a batch");
    let process = json!({ "service": batch["process"]["serviceName"], "tags": tags(&batch["process"]["tags"]) });
    list(&batch["spans"]).iter().map(|one| span(one, &process)).collect()
}

fn span(span: &Value, process: &Value) -> Value {
    let reference =
        |one: &Value| json!({ "type": one["refType"], "trace": trace_id(one), "span": unsigned(&one["spanId"]) });
    let log = |one: &Value| json!({ "time": one["timestamp"], "fields": tags(&one["fields"]) });
    json!({
        "process": process,
        "trace": trace_id(span),
        "span": unsigned(&span["spanId"]),
        "parent": unsigned(&span["parentSpanId"]),
        "name": span["operationName"],
        "references": list(&span["references"]).iter().map(reference).collect::<Vec<_>>(),
        "flags": span["flags"],
        "start": span["startTime"],
        "duration": span["duration"],
        "tags": tags(&span["tags"]),
        "logs": list(&span["logs"]).iter().map(log).collect::<Vec<_>>(),
    })
}

fn trace_id(of: &Value) -> String {
    unsigned(&of["traceIdHigh"]) + &unsigned(&of["traceIdLow"])
}

fn unsigned(number: &Value) -> String {
    format!("{:016x}", number.as_i64().unwrap())
}

/// The one value must be that of the type.
fn tags(tags: &Value) -> Value {
    let mut object = Map::new();
    for tag in list(tags) {
        let kinds = [("string", "vStr"), ("double", "vDouble"), ("bool", "vBool"), ("int", "vLong")];
        let (kind, field) = kinds[usize::try_from(tag["vType"].as_u64().unwrap()).unwrap()];
        assert_eq!(tag.as_object().unwrap().len(), 3, "{tag}");
        let value = match &tag[field] {
            // Read as bits, as JSON has no NaN.
            Value::Number(bits) if kind == "double" => double(f64::from_bits(bits.as_u64().unwrap())),
            Value::String(text) => format!("{kind} {text}"),
            value => format!("{kind} {value}"),
        };
        put_once(&mut object, tag["key"].as_str().unwrap(), value.into());
    }
    object.into()
}

fn read_struct(input: &mut dyn TInputProtocol, of: Struct) -> Value {
    let mut object = Map::new();
    input.read_struct_begin().unwrap();
    loop {
        let field = input.read_field_begin().unwrap();
        if field.field_type == TType::Stop {
            break;
        }
        let (name, inner) = of.0()[usize::try_from(field.id.unwrap()).unwrap() - 1];
        put_once(&mut object, name, read(input, field.field_type, inner));
        input.read_field_end().unwrap();
    }
    input.read_struct_end().unwrap();
    object.into()
}

fn read(input: &mut dyn TInputProtocol, kind: TType, of: Option<Struct>) -> Value {
    match kind {
        TType::Bool => input.read_bool().unwrap().into(),
        TType::I32 => input.read_i32().unwrap().into(),
        TType::I64 => input.read_i64().unwrap().into(),
        TType::Double => input.read_double().unwrap().to_bits().into(),
        TType::String => input.read_string().unwrap().into(),
        TType::Struct => read_struct(input, of.unwrap()),
        TType::List => {
            let list = input.read_list_begin().unwrap();
            (0..list.size).map(|_| read(input, list.element_type, of)).collect()
        }
        other => panic!("jaeger.thrift has no {other:?}"),
    }
}
