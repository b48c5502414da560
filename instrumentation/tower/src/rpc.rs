//! gRPC: methods and status codes.
//!
//! Sources: gRPC over HTTP2 (PROTOCOL-HTTP2.md), OpenTelemetry semantic conventions 1.44 for gRPC.

use http::header::{CONTENT_TYPE, HeaderMap};
use spandrel::Span;

use crate::attributes;
use crate::request::Head;

pub(crate) const SYSTEM: &str = "grpc";
pub(crate) const UNIMPLEMENTED: &str = "UNIMPLEMENTED";

/// The method that a request of gRPC calls.
pub(crate) struct Rpc {
    /// The path without its first slash.
    path: String,
    is_method: bool,
}

impl Rpc {
    /// `None` if the request is not gRPC.
    pub(crate) fn of(head: &Head<'_>) -> Option<Self> {
        is_grpc(head.headers).then(|| {
            let path = head.uri.path().trim_start_matches('/').to_owned();
            Self { is_method: is_method(&path), path }
        })
    }

    /// The name of its span: `shop.Orders/Place`.
    pub(crate) fn name(&self) -> &str {
        if self.is_method { &self.path } else { SYSTEM }
    }

    /// The name of the method as an attribute.
    pub(crate) fn method(&self) -> &str {
        if self.is_method { &self.path } else { attributes::OTHER }
    }

    /// What the client has asked for, if it is another one.
    pub(crate) fn original(&self) -> Option<&str> {
        (!self.is_method).then_some(&*self.path)
    }

    /// There is no such method: whoever calls it does not choose the name of the span.
    pub(crate) fn disown(&self, span: &mut Span) {
        span.set_name(SYSTEM);
        span.set_attribute(attributes::RPC_METHOD, attributes::OTHER);
        span.set_attribute(attributes::RPC_METHOD_ORIGINAL, &self.path);
    }
}

/// Not gRPC-Web, whose status is in the body.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    let rest = content_type.and_then(|content_type| content_type.strip_prefix(b"application/grpc"));
    matches!(rest, Some([] | [b'+' | b';', ..]))
}

fn is_method(path: &str) -> bool {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b));
    path.split_once('/').is_some_and(|(service, method)| is_name(service) && is_name(method))
}

/// The name of the status in headers or trailers, if there is one.
pub(crate) fn status(headers: &HeaderMap) -> Option<&'static str> {
    let number: Option<usize> = headers.get("grpc-status")?.to_str().ok().and_then(|number| number.parse().ok());
    // What is no code is to be taken as UNKNOWN.
    Some(number.and_then(|number| attributes::RPC_STATUS_CODES.get(number)).copied().unwrap_or("UNKNOWN"))
}

/// The others are the fault of the caller, and errors there.
pub(crate) fn is_server_error(code: &str) -> bool {
    matches!(code, "UNKNOWN" | "DEADLINE_EXCEEDED" | UNIMPLEMENTED | "INTERNAL" | "UNAVAILABLE" | "DATA_LOSS")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{is_grpc, is_method, status};

    fn one(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))])
    }

    #[test]
    fn grpc_is_known_by_its_content_type() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web+proto", false),
            ("application/json", false),
        ] {
            assert_eq!(is_grpc(&one("content-type", content_type)), expected, "{content_type}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn a_method_is_a_service_and_a_name() {
        assert!(is_method("shop.v1.Orders/Place_2"));
        for path in ["", "Orders", "/Place", "Orders/", "a/b/c", "a b/c", "shop.Örders/Place"] {
            assert!(!is_method(path), "{path}");
        }
    }

    #[test]
    fn a_status_is_a_number_and_unknown_if_it_is_none() {
        for (value, expected) in [("0", "OK"), ("16", "UNAUTHENTICATED"), ("17", "UNKNOWN"), ("-1", "UNKNOWN")] {
            assert_eq!(status(&one("grpc-status", value)), Some(expected));
        }
        assert_eq!(status(&HeaderMap::new()), None);
    }
}
