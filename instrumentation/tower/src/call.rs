use std::fmt::Display;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use spandrel::{Context, Span, SpanContext, Status};

use crate::attributes;
use crate::layer::Settings;
use crate::metrics::Meter;
use crate::request::{self, Head};
use crate::rpc::{self, Rpc};

/// A request from its arrival to the end of its response body; ends when it is dropped.
pub(crate) struct Call {
    place: Place,
    /// `Some` if it is gRPC.
    rpc: Option<Rpc>,
    settings: Arc<Settings>,
    stage: Stage,
    /// Bytes of the body that are still to come, if the response says how many there are.
    left: Option<u64>,
    /// What is polled has not come back: still so at the end, it panicked.
    is_within: bool,
    /// `None` until there is one.
    status: Option<StatusCode>,
    error: Option<&'static str>,
    meter: Meter,
}

/// What is current while a request is worked on.
pub(crate) enum Place {
    Span(Span),
    /// There is no span, but what came with the request may travel on.
    Context(Context),
    /// Tracing is off.
    Nowhere,
}

enum Stage {
    /// For the response.
    Waiting,
    /// The body was not asked for yet. For `HEAD`, it never is.
    Answered,
    Sending,
    Complete,
}

impl Call {
    pub(crate) fn start(settings: &Arc<Settings>, head: &Head<'_>) -> Self {
        let rpc = Rpc::of(head);
        Self {
            place: request::start(settings, head, rpc.as_ref()),
            rpc,
            settings: Arc::clone(settings),
            stage: Stage::Waiting,
            left: None,
            is_within: false,
            status: None,
            error: None,
            meter: Meter::start(head),
        }
    }

    /// Calls `f` where the request is worked on.
    pub(crate) fn within<R>(&mut self, f: impl FnOnce() -> R) -> R {
        // What has panicked is dropped within the call, too.
        let was_within = std::mem::replace(&mut self.is_within, true);
        let result = match &mut self.place {
            Place::Span(span) => span.within(|_| f()),
            Place::Context(context) => context.within(f),
            Place::Nowhere => f(),
        };
        self.is_within = was_within;
        result
    }

    /// As [`within`](Self::within), for the body.
    pub(crate) fn send<R>(&mut self, f: impl FnOnce() -> R) -> R {
        if matches!(self.stage, Stage::Answered) {
            self.stage = Stage::Sending;
        }
        self.within(f)
    }

    /// There is a response; it may get the trace id.
    pub(crate) fn answer<R>(&mut self, response: &mut Response<R>) {
        self.stage = Stage::Answered;
        self.left = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let status = response.status();
        self.status = Some(status);
        if let Place::Span(span) = &mut self.place {
            for name in &self.settings.response_headers {
                if let Some(values) = request::values(response.headers(), name) {
                    span.set_attribute(&format!("{}.{name}", attributes::RESPONSE_HEADER), values);
                }
            }
            if self.rpc.is_none() || status != StatusCode::OK {
                span.set_attribute(attributes::RESPONSE_STATUS_CODE, status.as_u16());
            }
            if status.is_server_error() {
                span.set_attribute(attributes::ERROR_TYPE, status.as_str());
                // Without a text: the status code says it.
                span.set_status(Status::Error(""));
            }
        }
        self.end_rpc(response.headers());
        if let (Some(name), Some(context)) = (&self.settings.trace_id_header, self.span_context()) {
            let id = HeaderValue::try_from(context.trace_id().to_string());
            response.headers_mut().insert(name, id.expect("hex digits are allowed in headers"));
        }
    }

    /// There will be no response.
    pub(crate) fn fail(&mut self, error: &(impl Display + ?Sized)) {
        self.record(attributes::SERVICE_ERROR, error);
    }

    /// The body ends too early.
    pub(crate) fn break_off(&mut self, error: &(impl Display + ?Sized)) {
        self.record(attributes::BODY_ERROR, error);
    }

    fn record(&mut self, kind: &'static str, error: &(impl Display + ?Sized)) {
        self.stage = Stage::Complete;
        self.error = Some(kind);
        if let Place::Span(span) = &mut self.place {
            span.set_attribute(attributes::ERROR_TYPE, kind);
            span.record_error(error);
        }
    }

    /// A part of the body goes out.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.left = self.left.map(|left| left.saturating_sub(bytes as u64));
        if self.left == Some(0) {
            // Servers do not ask for more then.
            self.stage = Stage::Complete;
        }
    }

    /// The body has ended with trailers.
    pub(crate) fn end_with(&mut self, trailers: &HeaderMap) {
        self.stage = Stage::Complete;
        self.end_rpc(trailers);
    }

    /// Records the status of gRPC, if it stands in these headers or trailers.
    fn end_rpc(&mut self, headers: &HeaderMap) {
        let (Some(rpc), Some(code)) = (&self.rpc, rpc::status(headers)) else { return };
        let is_error = rpc::is_server_error(code);
        if is_error {
            self.error = Some(code);
        }
        let Place::Span(span) = &mut self.place else { return };
        span.set_attribute(attributes::RPC_STATUS_CODE, code);
        if is_error {
            span.set_attribute(attributes::ERROR_TYPE, code);
            span.set_status(Status::Error(""));
        }
        if code == rpc::UNIMPLEMENTED {
            rpc.disown(span);
        }
    }

    /// Ends it: there is nothing more to come.
    pub(crate) fn complete(mut self) {
        self.stage = Stage::Complete;
    }

    fn span_context(&self) -> Option<SpanContext> {
        match &self.place {
            Place::Span(span) => span.context(),
            Place::Context(context) => context.span_context().cloned(),
            Place::Nowhere => None,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let is_cancelled = matches!(self.stage, Stage::Waiting | Stage::Sending);
        if self.is_within {
            self.error = Some(attributes::PANIC);
        }
        if let Place::Span(span) = &mut self.place {
            if self.is_within {
                // That it is an error the facade has seen.
                span.set_attribute(attributes::ERROR_TYPE, attributes::PANIC);
            } else if is_cancelled {
                // The caller went away, or an outer time limit struck: no error of this service.
                span.set_attribute(attributes::CANCELLED, true);
            }
        }
        self.meter.finish(self.status, self.error);
    }
}
