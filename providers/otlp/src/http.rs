//! What an answer over HTTP means.

use std::time::SystemTime;

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use spandrel_plugin_api::{Error, ErrorKind};
use spandrel_post::text::without_secrets;
use spandrel_post::{Taken, retry_after};

use crate::answer::{RpcStatus, taken_from_json};
use crate::transport::Answer;

/// Source: OTLP specification 1.x, "OTLP/HTTP Response", "Retryable Response Codes".
pub(crate) fn judge(answer: &Answer<'_>, now: SystemTime) -> Result<Taken, Error> {
    if answer.status.is_success() {
        return Ok(taken(answer));
    }
    let kind = match answer.status.as_u16() {
        429 | 502 | 503 | 504 => ErrorKind::Unavailable,
        300..=399 | 401 | 403..=405 | 415 | 501 => ErrorKind::ConfigInvalid,
        _ => ErrorKind::Internal,
    };
    let mut error = Error::new(kind, format!("the collector answered {}", answer.status));
    let said = answer.quoted(&said(answer));
    if !said.is_empty() {
        error = error.with_context("said", said);
    }
    if let Some(location) = answer.header(&LOCATION).filter(|_| answer.status.is_redirection()) {
        error = error.with_context("location", answer.quoted(&without_secrets(location)));
    }
    if let Some(remedy) = remedy(answer) {
        error = error.with_context("remedy", remedy);
    }
    let wait = answer.header(&RETRY_AFTER).and_then(|value| retry_after::parse(value, now));
    Err(match wait.filter(|_| kind == ErrorKind::Unavailable) {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    })
}

/// Reads what an accepting server said. Not all of them say it as they should, so what
/// cannot be read is no objection.
fn taken(answer: &Answer<'_>) -> Taken {
    let taken = match content_type(answer) {
        "application/json" => taken_from_json(&answer.body).ok(),
        "text/html" => Some(Taken {
            rejected: 0,
            message: "the answer is a web page, so the endpoint may not be that of a collector".to_owned(),
        }),
        _ => Taken::from_protobuf(&answer.body).ok(),
    };
    let Taken { rejected, message } = taken.unwrap_or_default();
    Taken { rejected, message: answer.quoted(&message) }
}

/// What a refusing server said.
fn said(answer: &Answer<'_>) -> String {
    let decoded = match content_type(answer) {
        "application/json" => RpcStatus::message_from_json(&answer.body),
        "application/x-protobuf" => RpcStatus::from_protobuf(&answer.body).ok().map(|status| status.message),
        _ => None,
    };
    decoded.unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned())
}

/// Without parameters.
fn content_type<'a>(answer: &'a Answer<'_>) -> &'a str {
    answer.header(&CONTENT_TYPE).and_then(|value| value.split(';').next()).unwrap_or_default().trim()
}

fn remedy(answer: &Answer<'_>) -> Option<&'static str> {
    let is_json = answer.sent.get(CONTENT_TYPE).is_some_and(|sent| sent == "application/json");
    let is_compressed = answer.sent.contains_key(CONTENT_ENCODING);
    Some(match answer.status.as_u16() {
        300..=399 => "redirects are not followed; set provider.otlp.endpoint to where it leads",
        401 | 403 => "check the credentials in provider.otlp.headers",
        407 => "check the credentials in provider.otlp.proxy",
        404 | 405 => "check the path of provider.otlp.endpoint; it is usually /v1/traces",
        501 => "the endpoint does not take traces at this path; it is usually /v1/traces",
        413 => "lower batch.max_bytes",
        // Not every server reads NaN and infinity there, or JSON at all.
        400 if is_json && is_compressed => {
            "set provider.otlp.protocol = \"http/protobuf\"; if that does not help, provider.otlp.compression = \"none\""
        }
        400 | 415 if is_json => "set provider.otlp.protocol = \"http/protobuf\"",
        // Not every server notices that it cannot unpack the request.
        400 | 415 if is_compressed => "set provider.otlp.compression = \"none\"",
        415 => "check that provider.otlp.endpoint is that of a collector",
        _ => return None,
    })
}
