use std::time::Duration;

use reqwest::StatusCode;
use spandrel::{InstrumentationScope, Span, SpanBuilder, SpanKind, Status, attrs};

use crate::client::Settings;
use crate::error::ClientError;
use crate::exchange::Target;
use crate::request::Options;
use crate::{attributes, url};

pub(crate) const SCOPE: InstrumentationScope<'static> =
    InstrumentationScope { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };

/// The span around all attempts of a call, and the waits between them.
pub(crate) struct CallSpan {
    span: Span,
    attempts: u32,
    waited: Duration,
}

impl CallSpan {
    pub(crate) fn start(settings: &Settings, options: &Options, target: &Target<'_>) -> Self {
        let name = match (&options.operation, target.template) {
            (Some(operation), _) => operation.clone(),
            (None, Some(template)) => format!("call {} {template}", method_name(target)),
            (None, None) => format!("call {}", method_name(target)),
        };
        let span = begin(&name, settings, options, target).start();
        Self { span, attempts: 0, waited: Duration::ZERO }
    }

    /// Calls `f`, which starts the span of an attempt below this one.
    pub(crate) fn attempt<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.attempts += 1;
        self.span.within(|_| f())
    }

    pub(crate) fn retry(&mut self, reason: &str, delay: Duration) {
        self.waited += delay;
        self.span.add_event(
            attributes::RETRY,
            &attrs! {
                attributes::REQUEST_RESEND_COUNT => self.attempts,
                attributes::RETRY_DELAY => delay.as_secs_f64(),
                attributes::RETRY_REASON => reason,
            },
        );
    }

    pub(crate) fn give_up(&mut self, reason: &str, limit: &str) {
        let details = attrs! { attributes::RETRY_LIMIT => limit, attributes::RETRY_REASON => reason };
        self.span.add_event(attributes::RETRY_GIVEN_UP, &details);
    }

    pub(crate) fn span_mut(&mut self) -> &mut Span {
        &mut self.span
    }

    pub(crate) fn set_status(&mut self, status: StatusCode, is_error: bool) {
        self.span.set_attribute(attributes::RESPONSE_STATUS_CODE, status.as_u16());
        if is_error {
            self.span.set_attribute(attributes::ERROR_TYPE, status.as_str());
            self.span.set_status(Status::Error(""));
        }
    }

    /// The exception itself is an event of the attempt.
    pub(crate) fn fail(&mut self, error: &ClientError) {
        self.span.set_attribute(attributes::ERROR_TYPE, error.kind().as_str());
        self.span.set_status(Status::Error(&error.traced().to_string()));
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        self.span.set_attribute(attributes::CALL_ATTEMPTS, self.attempts);
        self.span.set_attribute(attributes::CALL_WAIT, self.waited.as_secs_f64());
    }
}

/// A span with what is known before there is a response.
pub(crate) fn begin<'a>(name: &'a str, settings: &Settings, options: &Options, target: &Target<'_>) -> SpanBuilder<'a> {
    let (method, original) = known_method(target.method.as_str());
    let mut span = spandrel::span(name).instrumentation_scope(SCOPE);
    for (key, value) in settings.attributes.iter().chain(&options.attributes) {
        span = span.attribute(key, &**value);
    }
    span = span
        .attribute(attributes::REQUEST_METHOD, method)
        // An address of IPv6 goes without its brackets.
        .attribute(attributes::SERVER_ADDRESS, url::host(target.url));
    if let Some(original) = original {
        span = span.attribute(attributes::REQUEST_METHOD_ORIGINAL, original);
    }
    if let Some(port) = target.url.port_or_known_default() {
        span = span.attribute(attributes::SERVER_PORT, port);
    }
    if let Some(template) = target.template {
        span = span.attribute(attributes::URL_TEMPLATE, template);
    }
    span.kind(SpanKind::Internal)
}

/// The method as an attribute, and what it was if the conventions do not know it.
pub(crate) fn known_method(method: &str) -> (&'static str, Option<&str>) {
    match attributes::KNOWN_METHODS.iter().find(|known| **known == method) {
        Some(known) => (known, None),
        None => (attributes::OTHER_METHOD, Some(method)),
    }
}

/// The method in the name of a span.
pub(crate) fn method_name(target: &Target<'_>) -> &'static str {
    match known_method(target.method.as_str()) {
        (known, None) => known,
        _ => attributes::OTHER_METHOD_NAME,
    }
}
