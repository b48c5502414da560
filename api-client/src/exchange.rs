use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Method, Request, StatusCode, Url, Version};
use spandrel::{Span, SpanKind, Status, ToValue, attrs};

use crate::call::{self, CallSpan};
use crate::client::Settings;
use crate::connect::Timings;
use crate::error::ClientError;
use crate::metrics::Measurement;
use crate::request::Options;
use crate::{attributes, headers};

/// One attempt, from the request to the end of the body: its span, its times, and
/// what the histogram will say of it. Dropped earlier, it ends without an error:
/// the caller had enough.
pub(crate) struct Exchange {
    span: Span,
    /// The span around all attempts, if this is the last one: it ends after this.
    call: Option<CallSpan>,
    begun: Instant,
    measurement: Measurement,
    timings: Timings,
    /// `None` before and after.
    body: Option<Reading>,
    is_over: bool,
}

struct Reading {
    begun: Instant,
    size: u64,
}

/// Where an attempt goes.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
    /// `None` also after a redirect, which leads to another template.
    pub(crate) template: Option<&'a str>,
}

impl Exchange {
    /// Starts the span, as a child of the current one, with all that is known before.
    pub(crate) fn start(
        settings: &Settings,
        options: &Options,
        target: &Target<'_>,
        request: &Request,
        shown_url: &str,
        resends: u32,
    ) -> Self {
        let span = if options.has_span {
            start_span(settings, options, target, request, shown_url, resends)
        } else {
            Span::none()
        };
        let (method, _) = call::known_method(target.method.as_str());
        let measurement = Measurement::start(method, target.url, target.template);
        Self {
            span,
            call: None,
            begun: Instant::now(),
            measurement,
            timings: Timings::default(),
            body: None,
            is_over: false,
        }
    }

    pub(crate) fn span_mut(&mut self) -> &mut Span {
        &mut self.span
    }

    /// Writes the trace headers of this attempt.
    pub(crate) fn inject(&mut self, headers: &mut HeaderMap) {
        self.span.within(|_| spandrel::inject(headers));
    }

    /// Notes the response. Its body follows.
    pub(crate) fn receive(&mut self, settings: &Settings, response: &reqwest::Response, timings: Timings) {
        let status = response.status();
        self.measurement.set_status(status.as_u16());
        self.span.set_attribute(attributes::RESPONSE_STATUS_CODE, status.as_u16());
        if let Some(version) = protocol_version(response.version()) {
            self.measurement.set_protocol_version(version);
            self.span.set_attribute(attributes::NETWORK_PROTOCOL_VERSION, version);
        }
        if let Some(peer) = response.remote_addr() {
            self.span.set_attribute_lazy(attributes::NETWORK_PEER_ADDRESS, || peer.ip().to_string());
            self.span.set_attribute(attributes::NETWORK_PEER_PORT, peer.port());
        }
        if settings.is_error(status) {
            self.measurement.set_error(status.as_str());
            self.span.set_attribute(attributes::ERROR_TYPE, status.as_str());
            // Without a text: the status code says it.
            self.span.set_status(Status::Error(""));
        }
        self.set_timings(timings);
        self.timings = timings;
        let (wanted, secrets) = (&settings.response_headers, &settings.secret_parameters);
        headers::capture(&mut self.span, attributes::RESPONSE_HEADER, wanted, response.headers(), secrets);
        self.body = Some(Reading { begun: Instant::now(), size: 0 });
    }

    /// Notes what opening the connection took, and what waiting for a response.
    pub(crate) fn set_timings(&mut self, timings: Timings) {
        self.set_duration(attributes::DNS_DURATION, timings.dns);
        self.set_duration(attributes::CONNECT_DURATION, timings.connect);
        self.set_duration(attributes::FIRST_BYTE_DURATION, timings.first_byte);
        if let Some(reused) = timings.connection_reused {
            self.span.set_attribute(attributes::CONNECTION_REUSED, reused);
        }
    }

    /// Notes that the caller does not get what it asked for.
    pub(crate) fn fail(&mut self, error: &ClientError) {
        self.measurement.set_error(error.kind().as_str());
        self.span.set_attribute(attributes::ERROR_TYPE, error.kind().as_str());
        self.span.record_error(&error.traced());
        if let Some(call) = &mut self.call {
            call.fail(error);
        }
    }

    /// From here on the span around all attempts ends with this one.
    pub(crate) fn keep(&mut self, call: Option<CallSpan>) {
        self.call = call;
    }

    pub(crate) fn add_read(&mut self, bytes: usize) {
        if let Some(body) = &mut self.body {
            body.size += bytes as u64;
        }
    }

    /// Ends it; the body was read to its end.
    pub(crate) fn end_whole(&mut self) {
        if let Some(body) = self.body.take() {
            self.set_duration(attributes::BODY_DURATION, Some(body.begun.elapsed()));
            self.span.set_attribute(attributes::RESPONSE_BODY_SIZE, body.size);
        }
        self.end();
    }

    /// Ends it, wherever it is.
    pub(crate) fn close(&mut self) {
        // Who wants the status alone does not read, and there is nothing to tell.
        if let Some(body) = self.body.take().filter(|body| body.size > 0) {
            self.set_duration(attributes::BODY_DURATION, Some(body.begun.elapsed()));
            self.span.set_attribute(attributes::BODY_READ_SIZE, body.size);
        }
        self.end();
    }

    /// Ends it, without a word about the body.
    pub(crate) fn end(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.measurement.record(self.begun.elapsed());
            self.body = None;
            self.span = Span::none();
            self.call = None;
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(crate) const fn timings(&self) -> Timings {
        self.timings
    }

    fn set_duration(&mut self, key: &str, duration: Option<Duration>) {
        if let Some(duration) = duration {
            self.span.set_attribute(key, duration.as_secs_f64());
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.close();
    }
}

/// Says on a span where the next request goes.
pub(crate) fn add_redirect(span: &mut Span, status: StatusCode, shown_url: &str) {
    let status = status.as_u16();
    let details = attrs! { attributes::RESPONSE_STATUS_CODE => status, attributes::URL_FULL => shown_url };
    span.add_event(attributes::REDIRECT, &details);
}

fn start_span(
    settings: &Settings,
    options: &Options,
    target: &Target<'_>,
    request: &Request,
    shown_url: &str,
    resends: u32,
) -> Span {
    let own_name = options.span_name.clone().or_else(|| settings.span_name.as_ref()?(request));
    let name = own_name.unwrap_or_else(|| match target.template {
        Some(template) => format!("{} {template}", call::method_name(target)),
        None => call::method_name(target).to_owned(),
    });
    let mut span =
        call::begin(&name, settings, options, target).kind(SpanKind::Client).attribute(attributes::URL_FULL, shown_url);
    if resends > 0 {
        span = span.attribute(attributes::REQUEST_RESEND_COUNT, resends.to_value());
    }
    let mut span = span.start();
    let (wanted, secrets) = (&settings.request_headers, &settings.secret_parameters);
    headers::capture(&mut span, attributes::REQUEST_HEADER, wanted, request.headers(), secrets);
    span
}

fn protocol_version(version: Version) -> Option<&'static str> {
    Some(match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => return None,
    })
}
