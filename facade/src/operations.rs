use spandrel_plugin_api::{Attribute, Event, Link, SpanContext, Status, Timestamp};

use crate::attributes;
use crate::attrs;
use crate::chain::Live;
use crate::clock;

pub(crate) const PANICKED: Status<'static> = Status::Error("panicked");

/// The operations on a span, the same wherever it is: on an owned span, on the
/// span of a closure, on the current span. Each needs a `write` to reach the span.
macro_rules! span_operations {
    ($self:ident: $($receiver:tt)+) => {
        /// Sets an attribute; a key that is there already gets the new value.
        pub fn set_attribute($($receiver)+, key: &str, value: impl $crate::ToValue) {
            let attribute = $crate::Attribute { key, value: value.to_value() };
            $self.write(|live| live.set_attributes(&[attribute]));
        }

        /// Sets an attribute whose value is computed only if the span is recorded.
        pub fn set_attribute_lazy<V: $crate::ToValue>($($receiver)+, key: &str, value: impl FnOnce() -> V) {
            if $self.is_recording() {
                $self.set_attribute(key, value());
            }
        }

        /// Sets several attributes; see [`attrs!`](crate::attrs).
        pub fn set_attributes($($receiver)+, attributes: &[$crate::Attribute<'_>]) {
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
        pub fn add_event($($receiver)+, name: &str, attributes: &[$crate::Attribute<'_>]) {
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

impl Live {
    pub(crate) fn set_attributes(&mut self, attributes: &[Attribute<'_>]) {
        if let (Some(state), Some(tracer)) = (&mut self.state, self.tracer) {
            tracer.redaction.attributes(attributes, |clean| {
                tracer.call(|provider| provider.add_span_attributes(state, clean));
            });
        }
    }

    pub(crate) fn set_status(&mut self, status: Status<'_>) {
        if let (Some(state), Some(tracer)) = (&mut self.state, self.tracer) {
            let text = match status {
                Status::Error(text) => tracer.redaction.text(text),
                _ => "".into(),
            };
            let status = if matches!(status, Status::Error(_)) { Status::Error(&text) } else { status };
            tracer.call(|provider| provider.set_span_status(state, status));
        }
    }

    pub(crate) fn set_name(&mut self, name: &str) {
        if let (Some(state), Some(tracer)) = (&mut self.state, self.tracer) {
            let name = tracer.redaction.text(name);
            tracer.call(|provider| provider.set_span_name(state, &name));
        }
    }

    pub(crate) fn add_event(&mut self, name: &str, time: Option<Timestamp>, attributes: &[Attribute<'_>]) {
        if let (Some(state), Some(tracer)) = (&mut self.state, self.tracer) {
            let name = tracer.redaction.text(name);
            let time = time.unwrap_or_else(clock::now);
            tracer.redaction.attributes(attributes, |attributes| {
                tracer.call(|provider| provider.add_span_event(state, &Event { name: &name, time, attributes }));
            });
        }
    }

    pub(crate) fn add_link(&mut self, context: &SpanContext, attributes: &[Attribute<'_>]) {
        if let (Some(state), Some(tracer)) = (&mut self.state, self.tracer) {
            tracer.redaction.attributes(attributes, |attributes| {
                tracer.call(|provider| provider.add_span_link(state, &Link { context, attributes }));
            });
        }
    }

    pub(crate) fn record_error(&mut self, kind: &str, text: &str) {
        let details = attrs! { attributes::EXCEPTION_MESSAGE => text, attributes::EXCEPTION_TYPE => kind };
        // A text and a boxed error have no type worth telling.
        let is_nameless = matches!(kind, "str" | "&str" | "alloc::string::String") || kind.contains("dyn ");
        self.add_event(attributes::EXCEPTION, None, if is_nameless { &details[..1] } else { &details });
        self.set_status(Status::Error(text));
    }
}
