//! What is known of a request when it comes in.

use std::net::{IpAddr, SocketAddr};

use http::header::{self, HeaderMap, HeaderName};
use http::uri::Authority;
use http::{Extensions, Method, Request, Uri, Version};
use spandrel::{Context, InstrumentationScope, REDACTED, SpanBuilder, SpanKind};

use crate::attributes;
use crate::call::Place;
use crate::layer::{Settings, is_secret};
use crate::rpc::{self, Rpc};
use crate::{forwarded, query, router};

const SCOPE: InstrumentationScope<'static> =
    InstrumentationScope { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };

/// A request without its body.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    /// As the client sent it.
    pub(crate) uri: &'a Uri,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

impl<'a> Head<'a> {
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: router::original_uri(request.extensions()).unwrap_or(request.uri()),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// The method as attributes have it.
    pub(crate) fn method_name(&self) -> &'static str {
        let known = attributes::KNOWN_METHODS.into_iter().find(|known| *known == self.method.as_str());
        known.unwrap_or(attributes::OTHER)
    }

    /// What the client asked for in its URL; HTTP/1 does not say, so there it is `http`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.uri.scheme_str() == Some("https") { "https" } else { "http" }
    }

    pub(crate) fn route(&self) -> Option<&'a str> {
        router::route(self.extensions)
    }

    pub(crate) fn protocol_version(&self) -> Option<&'static str> {
        Some(match self.version {
            Version::HTTP_09 => "0.9",
            Version::HTTP_10 => "1.0",
            Version::HTTP_11 => "1.1",
            Version::HTTP_2 => "2",
            Version::HTTP_3 => "3",
            _ => return None,
        })
    }

    /// The server as the client names it, from `:authority` or `Host`.
    fn server(&self) -> Option<Authority> {
        let named = || self.headers.get(header::HOST)?.to_str().ok()?.parse().ok();
        self.uri.authority().cloned().or_else(named)
    }

    fn text(&self, name: HeaderName) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Continues the trace of the request, as far as it is trusted.
pub(crate) fn start(settings: &Settings, head: &Head<'_>, rpc: Option<&Rpc>) -> Place {
    if !spandrel::is_enabled() {
        return Place::Nowhere;
    }
    let context = match settings.trust {
        Some(trust) => spandrel::extract_with(head.headers, trust),
        None => spandrel::extract(head.headers),
    };
    let context = with_ids(settings, head.headers, context);
    let name = rpc.map_or_else(|| http_name(head), |rpc| rpc.name().to_owned());
    let span = match rpc {
        Some(rpc) => rpc.describe(spandrel::span(&name)),
        None => describe_http(spandrel::span(&name), head),
    };
    let span = describe(span, settings, head).kind(SpanKind::Server).instrumentation_scope(SCOPE).parent(&context);
    let span = span.start();
    if span.context().is_some() { Place::Span(span) } else { Place::Context(context) }
}

fn http_name(head: &Head<'_>) -> String {
    let method = match head.method_name() {
        attributes::OTHER => attributes::OTHER_METHOD_NAME,
        known => known,
    };
    head.route().map_or_else(|| method.to_owned(), |route| format!("{method} {route}"))
}

fn describe_http<'a>(span: SpanBuilder<'a>, head: &Head<'_>) -> SpanBuilder<'a> {
    let method = head.method_name();
    let mut span = span.attribute(attributes::REQUEST_METHOD, method).attribute(attributes::URL_SCHEME, head.scheme());
    if method == attributes::OTHER {
        span = span.attribute(attributes::REQUEST_METHOD_ORIGINAL, head.method.as_str());
    }
    span = span.attribute(attributes::URL_PATH, head.uri.path());
    if let Some(query) = head.uri.query() {
        span = span.attribute(attributes::URL_QUERY, query::sanitized(query));
    }
    if let Some(route) = head.route() {
        span = span.attribute(attributes::ROUTE, route);
    }
    span
}

/// What HTTP and gRPC have in common.
fn describe<'a>(mut span: SpanBuilder<'a>, settings: &Settings, head: &Head<'_>) -> SpanBuilder<'a> {
    if let Some(server) = head.server() {
        // An address of IPv6 goes without its brackets.
        span = span.attribute(attributes::SERVER_ADDRESS, server.host().trim_matches(['[', ']']));
        if let Some(port) = server.port_u16() {
            span = span.attribute(attributes::SERVER_PORT, port);
        }
    }
    let peer = router::peer(head.extensions);
    let forwarded = if settings.trusts_forwarded { forwarded::client(head.headers) } else { None };
    if let Some(client) = forwarded.or(peer.map(ip)) {
        span = span.attribute(attributes::CLIENT_ADDRESS, client.to_string());
    }
    if let Some(peer) = peer {
        span = span.attribute(attributes::NETWORK_PEER_ADDRESS, ip(peer).to_string());
        span = span.attribute(attributes::NETWORK_PEER_PORT, peer.port());
    }
    if let Some(version) = head.protocol_version() {
        span = span.attribute(attributes::NETWORK_PROTOCOL_VERSION, version);
    }
    if let Some(agent) = head.text(header::USER_AGENT) {
        span = span.attribute(attributes::USER_AGENT, agent);
    }
    for name in &settings.request_headers {
        if let Some(values) = values(head.headers, name) {
            span = span.attribute(&format!("{}.{name}", attributes::REQUEST_HEADER), values);
        }
    }
    span
}

/// An address of IPv4 that came in by a socket of IPv6 is one of IPv4.
fn ip(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

/// The values of a header, if there are any; those of a secret one are redacted.
pub(crate) fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Vec<&'a str>> {
    let text = |value| if is_secret(name) { REDACTED } else { as_text(value) };
    let values: Vec<&str> = headers.get_all(name).iter().map(text).collect();
    Some(values).filter(|values| !values.is_empty())
}

/// The value, or the sign for what is no text.
fn as_text(value: &http::HeaderValue) -> &str {
    std::str::from_utf8(value.as_bytes()).unwrap_or("\u{fffd}")
}

/// The context with what the headers say of session and user.
fn with_ids(settings: &Settings, headers: &HeaderMap, context: Context) -> Context {
    let ids = [(attributes::SESSION_ID, &settings.session_header), (attributes::USER_ID, &settings.user_header)];
    ids.into_iter().fold(context, |context, (key, header)| {
        match header.as_ref().and_then(|header| id(headers, header)) {
            Some(id) => context.with_attribute(key, id),
            None => context,
        }
    })
}

/// Longer ones are ignored: they would stand on each span of the request.
const LONGEST_ID: usize = 256;

/// The value of a header that comes from outside, if it can be an id.
fn id<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let is_id = (1..=LONGEST_ID).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    value.to_str().ok().filter(|_| is_id)
}

impl Rpc {
    fn describe<'a>(&self, span: SpanBuilder<'a>) -> SpanBuilder<'a> {
        let span = span.attribute(attributes::RPC_SYSTEM, rpc::SYSTEM).attribute(attributes::RPC_METHOD, self.method());
        match self.original() {
            Some(original) => span.attribute(attributes::RPC_METHOD_ORIGINAL, original),
            None => span,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, header};

    use super::values;

    #[test]
    fn secret_headers_are_redacted_before_anybody_sees_them() {
        let headers = [header::COOKIE, header::COOKIE, header::ACCEPT].map(|name| (name, "hush".parse().unwrap()));
        let headers: HeaderMap = headers.into_iter().collect();
        assert_eq!(values(&headers, &header::COOKIE), Some(vec!["[REDACTED]"; 2]));
        assert_eq!(values(&headers, &header::ACCEPT), Some(vec!["hush"]));
        assert_eq!(values(&headers, &header::AUTHORIZATION), None);
    }

    #[test]
    fn a_value_that_is_no_text_is_not_shown() {
        let name = HeaderName::from_static("x-name");
        let headers = [b"Zo\xc3\xab".as_slice(), b"Zo\xeb"].map(|value| HeaderValue::from_bytes(value).unwrap());
        let headers: HeaderMap = headers.into_iter().map(|value| (name.clone(), value)).collect();
        assert_eq!(values(&headers, &name), Some(vec!["Zoë", "\u{fffd}"]));
    }
}
