//! Between the vocabulary of the facade and that of OpenTelemetry.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, Key, KeyValue, StringValue, Value};
use spandrel_plugin_api as api;

/// The facade's context as one of OpenTelemetry.
pub(crate) fn context(context: &api::SpanContext) -> SpanContext {
    SpanContext::new(
        trace_id(context.trace_id()),
        span_id(context.span_id()),
        TraceFlags::new(context.flags().bits()),
        context.is_remote(),
        trace_state(context.trace_state()),
    )
}

/// And back.
pub(crate) fn facade_context(context: &SpanContext) -> api::SpanContext {
    let trace_state = match context.trace_state().header() {
        header if header.is_empty() => api::TraceState::default(),
        header => api::TraceState::parse(&header).unwrap_or_default(),
    };
    api::SpanContext::new(
        api::TraceId::from_bytes(context.trace_id().to_bytes()),
        api::SpanId::from_bytes(context.span_id().to_bytes()),
        api::TraceFlags::from_bits(context.trace_flags().to_u8()),
    )
    .with_remote(context.is_remote())
    .with_trace_state(trace_state)
}

pub(crate) fn trace_id(id: api::TraceId) -> TraceId {
    TraceId::from_bytes(id.to_bytes())
}

pub(crate) fn span_id(id: api::SpanId) -> SpanId {
    SpanId::from_bytes(id.to_bytes())
}

/// OpenTelemetry 0.33 has narrower rules for keys with `@` than Level 2; what it refuses is left out.
fn trace_state(state: &api::TraceState) -> TraceState {
    if state.is_empty() {
        return TraceState::NONE;
    }
    TraceState::from_key_value(state.members()).unwrap_or_else(|_| {
        let is_known = |member: &(&str, &str)| TraceState::from_key_value([*member]).is_ok();
        TraceState::from_key_value(state.members().filter(is_known)).unwrap_or_default()
    })
}

pub(crate) const fn kind(kind: api::SpanKind) -> SpanKind {
    match kind {
        api::SpanKind::Internal => SpanKind::Internal,
        api::SpanKind::Server => SpanKind::Server,
        api::SpanKind::Client => SpanKind::Client,
        api::SpanKind::Producer => SpanKind::Producer,
        api::SpanKind::Consumer => SpanKind::Consumer,
    }
}

pub(crate) fn status(status: api::Status<'_>) -> Status {
    match status {
        api::Status::Unset => Status::Unset,
        api::Status::Ok => Status::Ok,
        api::Status::Error(text) => Status::error(text.to_owned()),
    }
}

pub(crate) fn time(time: api::Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(time.unix_nanos())
}

/// Attributes that are unique already.
pub(crate) fn attributes<'a>(attributes: impl IntoIterator<Item = api::Attribute<'a>>) -> Vec<KeyValue> {
    attributes.into_iter().map(|attribute| self::attribute(&attribute)).collect()
}

/// Attributes of which each key stays once, with its last value.
pub(crate) fn unique_attributes(attributes: &[api::Attribute<'_>]) -> Vec<KeyValue> {
    let mut unique: Vec<KeyValue> = Vec::with_capacity(attributes.len());
    for attribute in attributes {
        match unique.iter_mut().find(|known| known.key.as_str() == attribute.key) {
            Some(known) => known.value = value(attribute.value),
            None => unique.push(self::attribute(attribute)),
        }
    }
    unique
}

pub(crate) fn attribute(attribute: &api::Attribute<'_>) -> KeyValue {
    KeyValue::new(Key::from(attribute.key.to_owned()), value(attribute.value))
}

fn value(value: api::Value<'_>) -> Value {
    match value {
        api::Value::Bool(v) => v.into(),
        api::Value::I64(v) => v.into(),
        api::Value::F64(v) => v.into(),
        api::Value::Str(v) => v.to_owned().into(),
        api::Value::BoolArray(v) => Value::Array(Array::Bool(v.to_vec())),
        api::Value::I64Array(v) => Value::Array(Array::I64(v.to_vec())),
        api::Value::F64Array(v) => Value::Array(Array::F64(v.to_vec())),
        api::Value::StrArray(v) => {
            Value::Array(Array::String(v.iter().map(|text| StringValue::from(text.to_owned())).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use spandrel_plugin_api::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    use super::{context, facade_context};

    #[test]
    fn contexts_survive_both_ways() {
        let flags = TraceFlags::from_bits(3);
        let plain = SpanContext::new(TraceId::from_bytes([7; 16]), SpanId::from_bytes([8; 8]), flags);
        let state = TraceState::parse("b=2,a@x=1").unwrap();
        for context in [plain.clone(), plain.with_trace_state(state).with_remote(true)] {
            assert_eq!(facade_context(&super::context(&context)), context);
        }
    }

    #[test]
    fn members_that_opentelemetry_refuses_are_left_out_alone() {
        let state = TraceState::parse("a=1,x@much-too-long-a-system=2,b=3").unwrap();
        let ours = SpanContext::new(TraceId::from_bytes([7; 16]), SpanId::from_bytes([8; 8]), TraceFlags::SAMPLED);
        assert_eq!(context(&ours.with_trace_state(state)).trace_state().header(), "a=1,b=3");
    }
}
