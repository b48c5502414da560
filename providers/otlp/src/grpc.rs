//! What an answer over gRPC means.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use spandrel_plugin_api::{Error, ErrorKind};
use spandrel_post::text::percent_decoded;
use spandrel_post::{Taken, retry_after};

use crate::answer::RpcStatus;
use crate::encode::FRAME_HEAD;
use crate::transport::Answer;

/// Source: OTLP specification 1.x, "OTLP/gRPC", table of retryable codes and "Throttling";
/// gRPC, "PROTOCOL-HTTP2.md" and "http-grpc-status-mapping.md".
pub(crate) fn judge(answer: &Answer<'_>) -> Result<Taken, Error> {
    let Some(code) = answer.trailer("grpc-status") else { return Err(no_status(answer)) };
    let code = code.parse().unwrap_or(UNKNOWN);
    if code == OK {
        let taken = message(&answer.body).and_then(|message| Taken::from_protobuf(message).ok());
        let Taken { rejected, message } = taken.unwrap_or_default();
        return Ok(Taken { rejected, message: answer.quoted(&message) });
    }
    let details = answer.trailer("grpc-status-details-bin").and_then(|text| RpcStatus::from_base64(text.as_bytes()));
    let details = details.unwrap_or_default();
    let said = answer.trailer("grpc-message").map_or(details.message, percent_decoded);
    Err(refusal(code, "the collector answered", answer.quoted(&said), details.retry))
}

const OK: u32 = 0;
const UNKNOWN: u32 = 2;
const RESOURCE_EXHAUSTED: u32 = 8;

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

fn refusal(code: u32, what: &str, said: String, retry: Option<Duration>) -> Error {
    let is_temporary = match code {
        1 | 4 | 10 | 11 | 14 | 15 => true,
        // Also said of a request that is too large; only one that may pass has the wait.
        RESOURCE_EXHAUSTED => retry.is_some(),
        _ => false,
    };
    let kind = match code {
        _ if is_temporary => ErrorKind::Unavailable,
        7 | 12 | 16 => ErrorKind::ConfigInvalid,
        _ => ErrorKind::Internal,
    };
    let name = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    let name = name.map_or_else(|| code.to_string(), |name| (*name).to_owned());
    let mut error = Error::new(kind, format!("{what} {name}"));
    if !said.is_empty() {
        error = error.with_context("said", said);
    }
    if let Some(remedy) = match code {
        7 | 16 => Some("check the credentials in provider.otlp.headers"),
        12 => Some(
            "the endpoint takes no traces over gRPC, or not with this provider.otlp.compression; the usual port is 4317",
        ),
        RESOURCE_EXHAUSTED if !is_temporary => Some("lower batch.max_bytes if the message says that it is too large"),
        _ => None,
    } {
        error = error.with_context("remedy", remedy);
    }
    match retry.and_then(retry_after::capped).filter(|_| is_temporary) {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

/// Something in between answered, or no server of gRPC.
fn no_status(answer: &Answer<'_>) -> Error {
    let code = match answer.status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => UNKNOWN,
    };
    let content_type = answer.header(&CONTENT_TYPE).unwrap_or("no content type");
    let content_type = answer.quoted(content_type);
    let what = format!("the answer is none of gRPC: HTTP {}, {content_type}; taken as", answer.status);
    let error = refusal(code, &what, String::new(), None);
    if error.context("remedy").is_some() || error.kind() == ErrorKind::Unavailable {
        return error;
    }
    error.with_context(
        "remedy",
        "set provider.otlp.endpoint to a port for gRPC, usually 4317, or provider.otlp.protocol = \"http/protobuf\"",
    )
}

/// The first message of a body, if it is whole and not compressed; none asked for compression.
fn message(body: &[u8]) -> Option<&[u8]> {
    let (head, rest) = body.split_first_chunk::<FRAME_HEAD>()?;
    let [0, len @ ..] = *head else { return None };
    rest.get(..usize::try_from(u32::from_be_bytes(len)).ok()?)
}
