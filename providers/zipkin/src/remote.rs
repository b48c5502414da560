use std::borrow::Cow;
use std::net::IpAddr;

use spandrel_plugin_api::{AnyValue, SpanKind, SpanView, json};
use spandrel_post::text_of;

/// Attributes that name the other side, the best first, and those with its port.
///
/// Source: OpenTelemetry specification, "OpenTelemetry to Zipkin Transformation", "Remote
/// endpoint"; the ports of the second and third are added.
const RANKED: [(&str, Option<&str>); 11] = [
    ("peer.service", None),
    ("server.address", Some("server.port")),
    ("net.peer.name", Some("net.peer.port")),
    ("network.peer.address", Some("network.peer.port")),
    ("server.socket.domain", None),
    ("server.socket.address", Some("server.socket.port")),
    ("net.sock.peer.name", None),
    ("net.sock.peer.addr", Some("net.sock.peer.port")),
    ("peer.hostname", None),
    ("peer.address", None),
    ("db.name", None),
];

/// Writes the endpoint of the other side, if the span is a request to one that is known.
pub(crate) fn write(object: &mut json::Object<'_>, span: &SpanView<'_>) {
    if !matches!(span.kind(), SpanKind::Client | SpanKind::Producer) {
        return;
    }
    let value_of = |key| span.attribute(key).map(text_of).filter(|text| !text.is_empty());
    let known = || RANKED.iter().filter_map(|(key, port)| value_of(key).map(|value| (value, *port)));
    let Some((name, mut port)) = known().next() else { return };
    let mut address = name.parse().ok();
    if address.is_none() && port.is_none() {
        // A name alone says nothing of where it is; what is known of that goes with it.
        let found = known().find_map(|(value, port)| value.parse().ok().map(|address| (address, port)));
        (address, port) = found.map_or((None, None), |(address, port)| (Some(address), port));
    }
    object.object("remoteEndpoint", |endpoint| {
        // A name also for those known by their address: without one Zipkin draws no dependency.
        endpoint.text("serviceName", &name);
        match address {
            Some(IpAddr::V4(address)) => endpoint.display("ipv4", &address),
            Some(IpAddr::V6(address)) => endpoint.display("ipv6", &address),
            None => {}
        }
        if let Some(port) = port.and_then(|key| span.attribute(key)).and_then(port_of) {
            endpoint.number("port", port);
        }
    });
}

fn port_of(value: AnyValue<'_>) -> Option<u16> {
    let text: Cow<'_, str> = text_of(value);
    text.parse().ok().filter(|port| *port != 0)
}
