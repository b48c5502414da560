use std::fmt::Display;
use std::time::SystemTime;

use spandrel_plugin_api::{Attribute, SpanContext, Status, ToValue};

use crate::chain;

/// The ids of the current span of this thread; it may be a captured or a remote one.
#[must_use]
pub fn current() -> Option<SpanContext> {
    chain::with_top(|live| live.context.clone()).filter(SpanContext::is_valid)
}

/// Whether what is written to the current span goes anywhere.
#[must_use]
pub fn is_recording() -> bool {
    chain::with_top(|live| live.is_recording()) == Some(true)
}

/// Sets an attribute of the current span.
pub fn set_attribute(key: &str, value: impl ToValue) {
    set_attributes(&[Attribute { key, value: value.to_value() }]);
}

/// Sets an attribute of the current span whose value is computed only if the span is recorded.
pub fn set_attribute_lazy<V: ToValue>(key: &str, value: impl FnOnce() -> V) {
    if is_recording() {
        set_attribute(key, value());
    }
}

/// Sets several attributes of the current span; see [`attrs!`](crate::attrs).
pub fn set_attributes(attributes: &[Attribute<'_>]) {
    chain::with_top(|live| live.set_attributes(attributes));
}

/// Sets the outcome of the current span. `Ok` is final, `Unset` is ignored.
pub fn set_status(status: Status<'_>) {
    chain::with_top(|live| live.set_status(status));
}

/// Replaces the name of the current span.
pub fn set_name(name: &str) {
    chain::with_top(|live| live.set_name(name));
}

/// Adds something that happened now to the current span; see [`attrs!`](crate::attrs).
///
/// ```
/// use spandrel as tracing;
///
/// tracing::with_span("checkout", |_| {
///     tracing::add_event("coupon applied", &tracing::attrs! { "coupon" => "XMAS" });
///     tracing::add_event("reserved", &[]);
/// });
/// ```
pub fn add_event(name: &str, attributes: &[Attribute<'_>]) {
    chain::with_top(|live| live.add_event(name, None, attributes));
}

/// Adds something that happened earlier to the current span.
pub fn add_event_at(name: &str, time: SystemTime, attributes: &[Attribute<'_>]) {
    chain::with_top(|live| live.add_event(name, Some(time.into()), attributes));
}

/// Adds a relation to another span to the current one.
pub fn add_link(context: &SpanContext, attributes: &[Attribute<'_>]) {
    chain::with_top(|live| live.add_link(context, attributes));
}

/// Adds an `exception` event to the current span and makes its status an error.
pub fn record_error<E: Display + ?Sized>(error: &E) {
    if is_recording() {
        let text = error.to_string();
        chain::with_top(|live| live.record_error(std::any::type_name::<E>(), &text));
    }
}
