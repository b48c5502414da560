//! What both vendors share: errors, events, broken streams.

use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response as HttpResponse};
use axum::response::Response;
use futures_util::stream;
use serde_json::{Value as Json, json};

use crate::asked::Asked;
use crate::script::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    OpenAi,
    Anthropic,
}

impl Vendor {
    pub(crate) fn key(self, headers: &HeaderMap) -> Option<String> {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let key = match self {
            Self::OpenAi => text("authorization")?.strip_prefix("Bearer ").map(str::to_owned),
            Self::Anthropic => text("x-api-key"),
        };
        key.filter(|key| !key.is_empty())
    }

    /// The header that names a request.
    pub(crate) const fn request_id(self) -> &'static str {
        match self {
            Self::OpenAi => "x-request-id",
            Self::Anthropic => "request-id",
        }
    }

    pub(crate) fn error(self, status: u16, text: &str) -> Response {
        json(status, &self.error_body(status, text))
    }

    fn error_body(self, status: u16, text: &str) -> Json {
        match self {
            Self::OpenAi => {
                let (kind, code) = match status {
                    401 => ("invalid_request_error", json!("invalid_api_key")),
                    429 => ("requests", json!("rate_limit_exceeded")),
                    400..=499 => ("invalid_request_error", Json::Null),
                    _ => ("server_error", Json::Null),
                };
                json!({ "error": { "message": text, "type": kind, "param": null, "code": code } })
            }
            Self::Anthropic => {
                let kind = match status {
                    401 => "authentication_error",
                    429 => "rate_limit_error",
                    529 => "overloaded_error",
                    400..=499 => "invalid_request_error",
                    _ => "api_error",
                };
                json!({ "type": "error", "error": { "type": kind, "message": text }, "request_id": "req_1" })
            }
        }
    }
}

/// A body of JSON.
pub(crate) fn json(status: u16, body: &Json) -> Response {
    let response = HttpResponse::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(body.to_string())).unwrap_or_default()
}

/// An event with its name, where the vendor gives it one.
pub(crate) fn event(name: Option<&str>, data: &Json) -> String {
    raw_event(name, &data.to_string())
}

pub(crate) fn raw_event(name: Option<&str>, data: &str) -> String {
    let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{name}data: {data}\n\n")
}

/// The events as a stream, with the fault that the request asks for.
pub(crate) fn events(asked: &Asked, vendor: Vendor, mut events: Vec<String>) -> Response {
    let fault = asked.script.fault;
    if let Some((fault, after)) = fault {
        events.truncate(after);
        if fault == Fault::Error {
            let name = (vendor == Vendor::Anthropic).then_some("error");
            let status = if vendor == Vendor::Anthropic { 529 } else { 500 };
            events.push(event(name, &vendor.error_body(status, "this is what the request asked for")));
        }
    }
    let fault = fault.map(|(fault, _)| fault);
    let parts = stream::unfold(events.into_iter(), move |mut events| async move {
        // Each event is written by itself, as models do it.
        tokio::task::yield_now().await;
        match (events.next(), fault) {
            (Some(event), _) => Some((Ok(Bytes::from(event)), events)),
            (None, Some(Fault::Stall)) => std::future::pending().await,
            (None, Some(Fault::Break)) => Some((Err(io::Error::other("this is what the request asked for")), events)),
            (None, _) => None,
        }
    });
    let response = HttpResponse::builder().header("content-type", "text/event-stream");
    response.body(Body::from_stream(parts)).unwrap_or_default()
}

/// A text in pieces that give it back when they are put together.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}
