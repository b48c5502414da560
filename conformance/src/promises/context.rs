use std::thread;

use spandrel_plugin_api::{Carrier, Extraction, SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use crate::fixture::{END, context, start};
use crate::subject::Subject;

/// A provider that keeps a context of its own has the innermost span of this
/// thread as its current one; on other threads there is none.
///
/// Source: [`keeps_context`](spandrel_plugin_api::TracingProvider::keeps_context),
/// [`current_context`](spandrel_plugin_api::TracingProvider::current_context),
/// [`enter_unsampled`](spandrel_plugin_api::TracingProvider::enter_unsampled).
pub fn a_kept_context_follows_the_brackets(subject: &Subject) {
    subject.promises("a kept context follows the brackets", |trial| {
        let provider = trial.provider();
        if !provider.keeps_context() {
            return;
        }
        let ids = || provider.current_context().map(|context| (context.trace_id(), context.span_id()));
        let of = |context: &SpanContext| Some((context.trace_id(), context.span_id()));
        let (outer_id, inner_id) = (context(1), context(2));
        let off = SpanContext::new(context(3).trace_id(), context(3).span_id(), TraceFlags::default());
        let mut outer = provider.start_span(&start("outer", &outer_id));
        let mut inner = provider.start_span(&start("inner", &inner_id));
        assert_eq!(ids(), None, "before a span is entered");
        provider.enter_span(&mut outer);
        provider.enter_span(&mut inner);
        assert_eq!(ids(), of(&inner_id), "in the inner span");
        provider.enter_unsampled(&off);
        assert_eq!(ids(), of(&off), "in a span that is not sampled");
        assert!(!provider.current_context().is_some_and(|c| c.is_sampled()), "a span that is not sampled says it is");
        thread::scope(|scope| scope.spawn(|| assert_eq!(ids(), None, "on another thread")).join())
            .expect("another thread has no current span");
        provider.exit_unsampled(&off);
        assert_eq!(ids(), of(&inner_id), "in the inner span again");
        provider.exit_span(&mut inner);
        assert_eq!(ids(), of(&outer_id), "in the outer span again");
        provider.exit_span(&mut outer);
        assert_eq!(ids(), None, "after all were left");
        [inner, outer].into_iter().for_each(|span| provider.end_span(span, END));
        assert!(provider.keeps_context(), "it is asked once, so the answer must stay");
    });
}

/// A provider with header names of its own reads what it wrote; one without
/// leaves both to the configured propagators.
///
/// Source: [`propagation_fields`](spandrel_plugin_api::TracingProvider::propagation_fields),
/// [`extract_context`](spandrel_plugin_api::TracingProvider::extract_context),
/// [`inject_context`](spandrel_plugin_api::TracingProvider::inject_context).
pub fn what_is_injected_can_be_extracted(subject: &Subject) {
    subject.promises("what is injected can be extracted", |trial| {
        let provider = trial.provider();
        let fields: Vec<String> = provider.propagation_fields().iter().map(|field| (*field).to_owned()).collect();
        let state = TraceState::parse("a=1").expect("a trace state by the rules");
        let unsampled =
            SpanContext::new(TraceId::from_bytes([7; 16]), SpanId::from_bytes([8; 8]), TraceFlags::default());
        for context in [context(1), context(2).with_trace_state(state), unsampled] {
            let mut headers = Headers { fields: fields.clone(), values: Vec::new() };
            let is_written = provider.inject_context(&context, &mut headers.values);
            assert!(is_written || headers.values.is_empty(), "headers are written, but it asks for others");
            let extracted = provider.extract_context(&headers);
            if fields.is_empty() {
                assert!(!is_written, "without header names of its own it must ask for the configured propagators");
                assert_eq!(extracted, Extraction::UseConfigured, "without header names of its own");
                continue;
            }
            assert!(is_written, "it reads {fields:?} and does not write them");
            let Extraction::Context(found) = extracted else { panic!("{extracted:?} in {:?}", headers.values) };
            assert_eq!((found.trace_id(), found.span_id()), (context.trace_id(), context.span_id()), "ids");
            assert_eq!(found.is_sampled(), context.is_sampled(), "whether it is sampled");
            assert!(found.is_remote(), "a context that came with a request is remote");
        }

        for value in ["", "\0", "00-zz-zz-01", "00-00000000000000000000000000000000-0000000000000000-01", "ü,=;"] {
            let values = fields.iter().map(|field| (field.clone(), value.to_owned())).collect();
            let extracted = provider.extract_context(&Headers { fields: fields.clone(), values });
            let is_nonsense = matches!(&extracted, Extraction::Context(context) if !context.is_valid());
            assert!(!is_nonsense, "{extracted:?} was read from {value:?}");
        }
        let none = Headers { fields, values: Vec::new() };
        let extracted = provider.extract_context(&none);
        assert!(!matches!(extracted, Extraction::Context(_)), "{extracted:?} was read from nothing");
    });
}

/// A carrier that shows the declared headers and no others.
struct Headers {
    fields: Vec<String>,
    values: Vec<(String, String)>,
}

impl Carrier for Headers {
    fn for_each_value(&self, name: &str, each: &mut dyn FnMut(&str)) {
        if self.fields.iter().any(|field| field == name) {
            self.values.for_each_value(name, each);
        }
    }
}
