//! The context that the reference provider keeps, and its header.

use std::cell::RefCell;

use spandrel_plugin_api::{Carrier, CarrierMut, Extraction, SpanContext, SpanId, TraceFlags, TraceId};

use crate::Fault;
use crate::reference::Reference;

pub(crate) const HEADER: &str = "x-reference";

thread_local! {
    /// What is entered on this thread, in any instance.
    static ENTERED: RefCell<Vec<(u64, SpanContext)>> = const { RefCell::new(Vec::new()) };
}

impl Reference {
    pub(crate) fn enter(&self, context: SpanContext) {
        ENTERED.with_borrow_mut(|entered| entered.push((self.instance, context)));
    }

    pub(crate) fn exit(&self, id: SpanId) {
        ENTERED.with_borrow_mut(|entered| {
            let found = entered.iter().rposition(|(instance, c)| (*instance, c.span_id()) == (self.instance, id));
            assert!(found.is_some() || !self.has(Fault::PanicsOnOddBrackets), "left without being entered");
            found.map(|found| entered.remove(found));
        });
    }

    pub(crate) fn current(&self) -> Option<SpanContext> {
        ENTERED.with_borrow(|entered| {
            let mut own = entered.iter().filter(|(instance, _)| *instance == self.instance).map(|(_, context)| context);
            if self.has(Fault::OutermostIsCurrent) { own.next().cloned() } else { own.next_back().cloned() }
        })
    }

    /// Reads `<trace id>/<span id>/<0 or 1>`.
    pub(crate) fn extract(&self, carrier: &dyn Carrier) -> Extraction {
        let mut found = Extraction::Nothing;
        carrier.for_each_value(HEADER, &mut |value| {
            let parts: Vec<&str> = value.split('/').collect();
            let [trace_id, span_id, sampled] = parts[..] else { return };
            if let (Ok(trace_id), Ok(span_id)) = (trace_id.parse::<TraceId>(), span_id.parse::<SpanId>()) {
                let flags = TraceFlags::default().with_sampled(sampled == "1");
                let is_remote = !self.has(Fault::ForgetsRemote);
                found = Extraction::Context(SpanContext::new(trace_id, span_id, flags).with_remote(is_remote));
            }
        });
        found
    }

    pub(crate) fn inject(&self, context: &SpanContext, carrier: &mut dyn CarrierMut) {
        let sampled = u8::from(context.is_sampled() || self.has(Fault::AlwaysSampled));
        carrier.set(HEADER, &format!("{}/{}/{sampled}", context.trace_id(), context.span_id()));
    }
}
