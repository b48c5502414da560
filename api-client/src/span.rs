use reqwest::Version;
use spandrel::{InstrumentationScope, Span, SpanKind, Status};

use crate::attributes;
use crate::client::Settings;
use crate::error::{Call, ClientError};

const SCOPE: InstrumentationScope<'static> =
    InstrumentationScope { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };

/// Starts the span of one attempt, with all that is known before it.
pub(crate) fn start(settings: &Settings, request: &reqwest::Request, call: &Call, template: Option<&str>) -> Span {
    let is_known = attributes::KNOWN_METHODS.contains(&call.method.as_str());
    let (method, name) = match is_known {
        true => (call.method.as_str(), call.method.as_str()),
        false => (attributes::OTHER_METHOD, attributes::OTHER_METHOD_NAME),
    };
    let name = template.map_or_else(|| name.to_owned(), |template| format!("{name} {template}"));
    let mut span = spandrel::span(&name).kind(SpanKind::Client).instrumentation_scope(SCOPE);
    for (key, value) in &settings.attributes {
        span = span.attribute(key, &**value);
    }
    span = span.attribute(attributes::REQUEST_METHOD, method).attribute(attributes::URL_FULL, &call.url);
    if !is_known {
        span = span.attribute(attributes::REQUEST_METHOD_ORIGINAL, call.method.as_str());
    }
    if let Some(host) = request.url().host_str() {
        // An address of IPv6 goes without its brackets.
        span = span.attribute(attributes::SERVER_ADDRESS, host.trim_matches(['[', ']']));
    }
    if let Some(port) = request.url().port_or_known_default() {
        span = span.attribute(attributes::SERVER_PORT, port);
    }
    if let Some(template) = template {
        span = span.attribute(attributes::URL_TEMPLATE, template);
    }
    if call.attempts > 1 {
        span = span.attribute(attributes::REQUEST_RESEND_COUNT, call.attempts - 1);
    }
    span.start()
}

/// Writes to the span what came of the attempt.
pub(crate) fn record(span: &mut Span, outcome: &Result<reqwest::Response, ClientError>) {
    match outcome {
        Ok(response) => {
            let status = response.status();
            span.set_attribute(attributes::RESPONSE_STATUS_CODE, status.as_u16());
            if let Some(version) = protocol_version(response.version()) {
                span.set_attribute(attributes::NETWORK_PROTOCOL_VERSION, version);
            }
            if status.is_client_error() || status.is_server_error() {
                span.set_attribute(attributes::ERROR_TYPE, status.as_str());
                // Without a text: the status code says it.
                span.set_status(Status::Error(""));
            }
        }
        Err(error) => {
            span.set_attribute(attributes::ERROR_TYPE, error.kind().as_str());
            span.record_error(error);
        }
    }
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
