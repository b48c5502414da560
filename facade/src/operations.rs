use spandrel_plugin_api::{Attribute, Event, Link, SpanContext, SpanState, Status, Timestamp, TracingProvider};
use spandrel_recorder::{Recorder, RunningSpan};

use crate::attributes;
use crate::attrs;
use crate::chain::{Live, Recording};
use crate::clock;
use crate::tracer::Core;

pub(crate) const PANICKED: Status<'static> = Status::Error("panicked");

/// The operations on a span, the same wherever it is: on an owned span, on the
/// span of a closure, on the current span. Each needs a `write` to reach the span.
macro_rules! span_operations {
    ($self:ident: $($receiver:tt)+) => {
        /// Sets an attribute; a key that is there already gets the new value.
        #[inline]
        pub fn set_attribute($($receiver)+, key: &str, value: impl $crate::ToValue) {
            if $self.may_write() {
                $self.put_attribute(&$crate::Attribute { key, value: value.to_value() });
            }
        }

        /// Sets an attribute whose value is computed only if the span is recorded.
        #[inline]
        pub fn set_attribute_lazy<V: $crate::ToValue>($($receiver)+, key: &str, value: impl FnOnce() -> V) {
            if $self.is_recording() {
                $self.set_attribute(key, value());
            }
        }

        /// Sets several attributes; see [`attrs!`](crate::attrs).
        #[inline]
        pub fn set_attributes($($receiver)+, attributes: &[$crate::Attribute<'_>]) {
            if $self.may_write() {
                $self.put_attributes(attributes);
            }
        }

        // Out of line: callers have but a check and a call for it.
        #[inline(never)]
        fn put_attributes($($receiver)+, attributes: &[$crate::Attribute<'_>]) {
            $self.write(|live| live.set_attributes(attributes));
        }

        /// Sets the outcome. `Ok` is final, `Unset` is ignored.
        pub fn set_status($($receiver)+, status: $crate::Status<'_>) {
            $self.write(|live| live.set_status(status));
        }

        /// Replaces the name.
        pub fn set_name($($receiver)+, name: &str) {
            $self.write(|live| live.set_name(name));
        }

        /// Adds something that happened now; see [`attrs!`](crate::attrs).
        #[inline]
        pub fn add_event($($receiver)+, name: &str, attributes: &[$crate::Attribute<'_>]) {
            if $self.may_write() {
                $self.put_event(name, attributes);
            }
        }

        #[inline(never)]
        fn put_event($($receiver)+, name: &str, attributes: &[$crate::Attribute<'_>]) {
            $self.write(|live| live.add_event(name, None, attributes));
        }

        /// Adds something that happened at a time that is past already.
        pub fn add_event_at($($receiver)+, name: &str, time: std::time::SystemTime, attributes: &[$crate::Attribute<'_>]) {
            $self.write(|live| live.add_event(name, Some(time.into()), attributes));
        }

        /// Adds a relation to another span.
        pub fn add_link($($receiver)+, context: &$crate::SpanContext, attributes: &[$crate::Attribute<'_>]) {
            $self.write(|live| live.add_link(context, attributes));
        }

        /// Adds an `exception` event and makes the status an error with its text.
        pub fn record_error<E: std::fmt::Display + ?Sized>($($receiver)+, error: &E) {
            // The text is made here, where the error's own code sees the chain as it is.
            if $self.is_recording() {
                let text = error.to_string();
                $self.write(|live| live.record_error(std::any::type_name::<E>(), &text));
            }
        }
    };
}
pub(crate) use span_operations;

/// Whether the type of an error is not worth telling: that of a text or of a boxed error.
pub(crate) fn is_nameless(kind: &str) -> bool {
    matches!(kind, "str" | "&str" | "alloc::string::String") || kind.contains("dyn ")
}

impl Live {
    pub(crate) fn set_attributes(&mut self, attributes: &[Attribute<'_>]) {
        let Some(tracer) = self.tracer else { return };
        if self.recording != Recording::Here {
            return self.set_clean_attributes(tracer, attributes);
        }
        for attribute in attributes {
            if tracer.redaction.keeps_attribute(attribute) {
                self.span.set_attribute(attribute);
            } else {
                self.set_clean_attributes(tracer, std::slice::from_ref(attribute));
            }
        }
    }

    #[cold]
    fn set_clean_attributes(&mut self, tracer: &Core, attributes: &[Attribute<'_>]) {
        if self.is_recording() {
            tracer.redaction.attributes(attributes, |attributes| {
                self.tell(
                    |recorder, span| recorder.add_attributes(span, attributes),
                    |provider, state| provider.add_span_attributes(state, attributes),
                );
            });
        }
    }

    pub(crate) fn set_status(&mut self, status: Status<'_>) {
        if let Some(tracer) = self.recorded_by() {
            let text = match status {
                Status::Error(text) => tracer.redaction.text(text),
                _ => "".into(),
            };
            let status = if matches!(status, Status::Error(_)) { Status::Error(&text) } else { status };
            self.tell(
                |recorder, span| recorder.set_status(span, status),
                |provider, state| provider.set_span_status(state, status),
            );
        }
    }

    pub(crate) fn set_name(&mut self, name: &str) {
        if let Some(tracer) = self.recorded_by() {
            let name = tracer.redaction.text(name);
            self.tell(
                |recorder, span| recorder.set_name(span, &name),
                |provider, state| provider.set_span_name(state, &name),
            );
        }
    }

    pub(crate) fn add_event(&mut self, name: &str, time: Option<Timestamp>, attributes: &[Attribute<'_>]) {
        let Some(tracer) = self.recorded_by() else { return };
        let time = time.unwrap_or_else(clock::now);
        match tracer.recorder() {
            // What nearly all events are.
            Some(recorder) if attributes.is_empty() && tracer.redaction.keeps(name) => {
                recorder.add_event(&mut self.span, &Event { name, time, attributes });
            }
            _ => self.add_clean_event(tracer, name, time, attributes),
        }
    }

    #[inline(never)]
    fn add_clean_event(&mut self, tracer: &Core, name: &str, time: Timestamp, attributes: &[Attribute<'_>]) {
        let name = tracer.redaction.text(name);
        tracer.redaction.attributes(attributes, |attributes| {
            let event = Event { name: &name, time, attributes };
            self.tell(
                |recorder, span| recorder.add_event(span, &event),
                |provider, state| provider.add_span_event(state, &event),
            );
        });
    }

    pub(crate) fn add_link(&mut self, context: &SpanContext, attributes: &[Attribute<'_>]) {
        if let Some(tracer) = self.recorded_by() {
            tracer.redaction.attributes(attributes, |attributes| {
                let link = Link { context, attributes };
                self.tell(
                    |recorder, span| recorder.add_link(span, &link),
                    |provider, state| provider.add_span_link(state, &link),
                );
            });
        }
    }

    pub(crate) fn record_error(&mut self, kind: &str, text: &str) {
        let details = attrs! { attributes::EXCEPTION_MESSAGE => text, attributes::EXCEPTION_TYPE => kind };
        self.add_event(attributes::EXCEPTION, None, if is_nameless(kind) { &details[..1] } else { &details });
        self.set_status(Status::Error(text));
    }

    #[inline]
    fn recorded_by(&self) -> Option<&'static Core> {
        self.tracer.filter(|_| self.is_recording())
    }

    /// Passes a call on to where the span is recorded.
    #[inline]
    fn tell(
        &mut self,
        here: impl FnOnce(&Recorder, &mut RunningSpan),
        there: impl FnOnce(&dyn TracingProvider, &mut SpanState),
    ) {
        let Some(tracer) = self.tracer else { return };
        match (self.recording, tracer.recorder()) {
            (Recording::Here, Some(recorder)) => here(recorder, &mut self.span),
            (Recording::There, _) => {
                tracer.call(|provider| there(provider, &mut self.state));
            }
            _ => {}
        }
    }
}
