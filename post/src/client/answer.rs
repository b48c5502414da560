//! What an answer means.

use std::time::SystemTime;

use http::header::{LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};
use spandrel_plugin_api::{Error, ErrorKind};
use ureq::Body;

use super::{Server, text_of_header};
use crate::retry_after;
use crate::text::without_secrets;

/// Source: OTLP specification 1.x, "Retryable Response Codes", and 408, which says the same
/// of a server that knows no OTLP.
pub(crate) fn judge(
    server: Server,
    response: &Response<Body>,
    said: &[u8],
    quoted: &dyn Fn(&[u8]) -> String,
    now: SystemTime,
) -> Result<(), Error> {
    let (status, headers) = (response.status(), response.headers());
    if status.is_success() {
        return Ok(());
    }
    let kind = match status.as_u16() {
        408 | 429 | 502 | 503 | 504 => ErrorKind::Unavailable,
        300..=399 | 401 | 403..=405 | 407 | 415 | 501 => ErrorKind::ConfigInvalid,
        _ => ErrorKind::Internal,
    };
    let mut error = Error::new(kind, format!("{} answered {status}", server.name));
    let said = quoted(said);
    if !said.is_empty() {
        error = error.with_context("said", said);
    }
    if let Some(location) = text_of_header(headers, LOCATION).filter(|_| status.is_redirection()) {
        error = error.with_context("location", quoted(without_secrets(location).as_bytes()));
    }
    if let Some(remedy) = remedy(server, status) {
        error = error.with_context("remedy", remedy);
    }
    let wait = text_of_header(headers, RETRY_AFTER).and_then(|value| retry_after::parse(value, now));
    Err(match wait.filter(|_| kind == ErrorKind::Unavailable) {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    })
}

fn remedy(server: Server, status: StatusCode) -> Option<String> {
    let Server { provider, usual, .. } = server;
    Some(match status.as_u16() {
        300..=399 => format!("redirects are not followed; set provider.{provider}.endpoint to where it leads"),
        401 | 403 | 407 => format!("check the credentials in provider.{provider}.headers"),
        404 | 405 | 415 | 501 => format!("check provider.{provider}.endpoint; it is usually like {usual}"),
        413 => "lower batch.max_bytes".to_owned(),
        _ => return None,
    })
}
