use serde_json::{Value, json};
use spandrel_plugin_api::{OwnedAttribute, OwnedValue, Resource, SpanContext, StatusData};

use crate::span::{Attributes, Span};

/// What all lines have in common.
#[derive(Clone)]
pub(crate) struct Service {
    name: String,
    resource: Value,
}

impl Service {
    pub(crate) fn new(resource: &Resource) -> Self {
        let all: Vec<OwnedAttribute> = resource.attributes().map(|attribute| attribute.to_owned()).collect();
        Self { name: resource.service_name().to_owned(), resource: attributes(&all) }
    }

    /// The line of a span, without its end.
    pub(crate) fn line(&self, span: &Span) -> Value {
        json!({
            "name": span.name,
            "kind": span.kind.as_str(),
            "trace_id": span.context.trace_id().to_string(),
            "span_id": span.context.span_id().to_string(),
            "flags": span.context.flags().bits(),
            "trace_state": span.context.trace_state().as_str(),
            "parent_id": span.parent.as_ref().map(|parent| parent.span_id().to_string()),
            "parent_is_remote": span.parent.as_ref().is_some_and(SpanContext::is_remote),
            "status": match &span.status {
                StatusData::Unset => json!({ "code": "unset" }),
                StatusData::Ok => json!({ "code": "ok" }),
                StatusData::Error(text) => json!({ "code": "error", "text": text }),
            },
            "start_ns": span.start.unix_nanos(),
            "end_ns": span.end.unix_nanos(),
            "attributes": attributes(&span.attributes.kept),
            "dropped_attributes": span.attributes.dropped,
            "events": span.events.iter().map(|(name, time, Attributes { kept, dropped })| json!({
                "name": name,
                "time_ns": time.unix_nanos(),
                "attributes": attributes(kept),
                "dropped_attributes": dropped,
            })).collect::<Value>(),
            "dropped_events": span.dropped_events,
            "links": span.links.iter().map(|(context, Attributes { kept, dropped })| json!({
                "trace_id": context.trace_id().to_string(),
                "span_id": context.span_id().to_string(),
                "flags": context.flags().bits(),
                "trace_state": context.trace_state().as_str(),
                "is_remote": context.is_remote(),
                "attributes": attributes(kept),
                "dropped_attributes": dropped,
            })).collect::<Value>(),
            "dropped_links": span.dropped_links,
            "scope": { "name": span.scope.0, "version": span.scope.1 },
            "service": self.name,
            "resource": self.resource,
        })
    }
}

/// Each value with its type, as `{"int":3}`.
fn attributes(attributes: &[OwnedAttribute]) -> Value {
    let typed = |value: &OwnedValue| match value {
        OwnedValue::Bool(v) => json!({ "bool": v }),
        OwnedValue::I64(v) => json!({ "int": v }),
        OwnedValue::F64(v) => json!({ "double": double(*v) }),
        OwnedValue::Str(v) => json!({ "text": v }),
        OwnedValue::BoolArray(v) => json!({ "bools": v }),
        OwnedValue::I64Array(v) => json!({ "ints": v }),
        OwnedValue::F64Array(v) => json!({ "doubles": v.iter().copied().map(double).collect::<Value>() }),
        OwnedValue::StrArray(v) => json!({ "texts": v }),
    };
    attributes.iter().map(|attribute| (attribute.key.as_str(), typed(&attribute.value))).collect()
}

/// JSON has no numbers that are not finite, and serde would write null.
fn double(value: f64) -> Value {
    match value {
        value if value.is_finite() => value.into(),
        value if value.is_nan() => "NaN".into(),
        value if value > 0.0 => "Infinity".into(),
        _ => "-Infinity".into(),
    }
}
