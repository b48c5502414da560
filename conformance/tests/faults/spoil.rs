//! Faults that change the data of a span.

use spandrel_plugin_api::{InstrumentationScope, OwnedAttribute, OwnedValue, SpanData, SpanKind, Timestamp};

use crate::Fault;
use crate::reference::Reference;

impl Reference {
    pub(crate) fn spoil(&self, mut attribute: OwnedAttribute) -> OwnedAttribute {
        let value = &mut attribute.value;
        match (self.fault, &mut *value) {
            (Some(Fault::IntegersAsDoubles), OwnedValue::I64(v)) => *v = *v as f64 as i64,
            (Some(Fault::ZeroWithoutSign), OwnedValue::F64(v)) if *v == 0.0 => *v = 0.0,
            (Some(Fault::TextsAreCut), OwnedValue::Str(v)) => *v = v.chars().take(60_000).collect(),
            (Some(Fault::TextsAreCleaned), OwnedValue::Str(v)) => v.retain(|c| !c.is_control()),
            (Some(Fault::ArraysOfOneAreScalars), OwnedValue::I64Array(v)) if v.len() == 1 => {
                *value = OwnedValue::I64(v[0]);
            }
            (Some(Fault::EmptyArraysAreTexts), OwnedValue::BoolArray(v)) if v.is_empty() => {
                *value = OwnedValue::Str(String::new());
            }
            _ => {}
        }
        attribute
    }

    pub(crate) fn spoil_start(&self, span: &mut SpanData) {
        match self.fault {
            Some(Fault::ForgetsRemote) => span.has_remote_parent = false,
            Some(Fault::LosesStartAttributes) => span.attributes.clear(),
            Some(Fault::LosesFlags) => span.flags = 0,
            Some(Fault::LosesTraceState) => span.trace_state.truncate(256),
            Some(Fault::LosesKind) => span.kind = SpanKind::Internal,
            Some(Fault::LosesScopeVersion) => span.scope_version = InstrumentationScope::default().version.to_owned(),
            Some(Fault::LosesResource) => span.resource.truncate(1),
            _ => {}
        }
    }

    pub(crate) fn spoil_end(&self, span: &mut SpanData) {
        match self.fault {
            Some(Fault::SortsEvents) => span.events.sort_by_key(|event| event.time),
            Some(Fault::RoundsTimes) => {
                span.end = Timestamp::from_unix_nanos(span.end.unix_nanos() / 1000 * 1000).max(span.start);
            }
            Some(Fault::SwapsNames) => span.name = format!("span of {:?}", std::thread::current().id()),
            _ => {}
        }
    }
}
