//! `jaeger.thrift`, read by Apache's implementation of the binary protocol.

use std::io::Cursor;

use serde_json::{Map, Value, json};
use thrift::protocol::{TBinaryInputProtocol, TInputProtocol, TType};

/// The fields of a struct: number, name, and the struct in it or in its list.
type Fields = &'static [(i16, &'static str, Option<Struct>)];

#[derive(Clone, Copy)]
struct Struct(fn() -> Fields);

const BATCH: Struct = Struct(|| &[(1, "process", Some(PROCESS)), (2, "spans", Some(SPAN))]);
const PROCESS: Struct = Struct(|| &[(1, "serviceName", None), (2, "tags", Some(TAG))]);
const SPAN: Struct = Struct(|| {
    &[
        (1, "traceIdLow", None),
        (2, "traceIdHigh", None),
        (3, "spanId", None),
        (4, "parentSpanId", None),
        (5, "operationName", None),
        (6, "references", Some(REFERENCE)),
        (7, "flags", None),
        (8, "startTime", None),
        (9, "duration", None),
        (10, "tags", Some(TAG)),
        (11, "logs", Some(LOG)),
    ]
});
const REFERENCE: Struct =
    Struct(|| &[(1, "refType", None), (2, "traceIdLow", None), (3, "traceIdHigh", None), (4, "spanId", None)]);
const LOG: Struct = Struct(|| &[(1, "timestamp", None), (2, "fields", Some(TAG))]);
const TAG: Struct = Struct(|| {
    &[
        (1, "key", None),
        (2, "vType", None),
        (3, "vStr", None),
        (4, "vDouble", None),
        (5, "vBool", None),
        (6, "vLong", None),
        (7, "vBinary", None),
    ]
});

/// A batch by the names of its fields; each tag is `[key, type, value]`.
pub(crate) fn batch(bytes: &[u8]) -> Value {
    let mut input = TBinaryInputProtocol::new(Cursor::new(bytes), true);
    let batch = read_struct(&mut input, BATCH);
    assert!(input.read_byte().is_err(), "there is more than a batch");
    batch
}

fn read_struct(input: &mut dyn TInputProtocol, of: Struct) -> Value {
    let mut object = Map::new();
    input.read_struct_begin().unwrap();
    loop {
        let field = input.read_field_begin().unwrap();
        if field.field_type == TType::Stop {
            break;
        }
        let id = field.id.unwrap();
        let (_, name, inner) = of.0().iter().find(|(known, ..)| *known == id).expect("a field of jaeger.thrift");
        let value = read(input, field.field_type, *inner, name);
        assert!(object.insert((*name).to_owned(), value).is_none(), "{name} comes twice");
        input.read_field_end().unwrap();
    }
    input.read_struct_end().unwrap();
    if of.0().len() == 7 { tag(&object) } else { Value::Object(object) }
}

fn read(input: &mut dyn TInputProtocol, kind: TType, of: Option<Struct>, name: &str) -> Value {
    match kind {
        TType::Bool => input.read_bool().unwrap().into(),
        TType::I32 => input.read_i32().unwrap().into(),
        TType::I64 => input.read_i64().unwrap().into(),
        TType::Double => input.read_double().unwrap().into(),
        TType::String if name == "vBinary" => input.read_bytes().unwrap().into(),
        TType::String => input.read_string().unwrap().into(),
        TType::Struct => read_struct(input, of.unwrap()),
        TType::List => {
            let list = input.read_list_begin().unwrap();
            (0..list.size).map(|_| read(input, list.element_type, of, name)).collect()
        }
        other => panic!("jaeger.thrift has no {other:?}"),
    }
}

/// The one value must be that of the type.
fn tag(object: &Map<String, Value>) -> Value {
    let kinds =
        [("STRING", "vStr"), ("DOUBLE", "vDouble"), ("BOOL", "vBool"), ("LONG", "vLong"), ("BINARY", "vBinary")];
    let (kind, field) = kinds[usize::try_from(object["vType"].as_u64().unwrap()).unwrap()];
    assert_eq!(object.len(), 3, "{object:?}");
    json!([object["key"], kind, object[field]])
}
