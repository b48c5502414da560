//! `X-Amzn-Trace-Id`.

use crate::{Incoming, Written, incoming, written};

#[rustfmt::skip]
pub(crate) const INCOMING: &[Incoming] = &[
    incoming("X-Ray Developer Guide, Tracing header", &[("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")], "5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"),
    incoming("X-Ray Developer Guide, Tracing header: root alone", &[("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")], "none"),
    incoming("ELB User Guide, Request tracing: Self and Root", &[("X-Amzn-Trace-Id", "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678")], "none"),
    incoming("our own, Self before the rest", &[("X-Amzn-Trace-Id", "Self=1-67891234-12456789abcdef012345678;Root={TX};Parent={S};Sampled=1")], "{T}-{S}-01"),
    incoming("X-Ray Developer Guide, Tracing header: Lineage", &[("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=1;Lineage=a87bd80c:0|68fd508a:5")], "{T}-{S}-01"),
    incoming("OTel Python aws_xray_propagator: not sampled", &[("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=0")], "{T}-{S}-00"),
    incoming("X-Ray Developer Guide: the decision is asked for", &[("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=?")], "{T}-{S}-01"),
    incoming("our own, no decision", &[("x-amzn-trace-id", "Root={TX};Parent={S}")], "{T}-{S}-01"),
    incoming("OTel Python aws_xray_propagator: any order", &[("x-amzn-trace-id", "Sampled=1;Parent={S};Root={TX}")], "{T}-{S}-01"),
    incoming("OTel Python aws_xray_propagator: white space", &[("x-amzn-trace-id", "  Root = {TX} ; Parent={S} ; Sampled = 1 ")], "{T}-{S}-01"),
    incoming("our own, a field without a value", &[("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=1;")], "{T}-{S}-01"),
    incoming("our own, a field of the application", &[("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=1;CalledFrom=app=1")], "{T}-{S}-01"),
    incoming("OTel Python aws_xray_propagator: wrong version", &[("x-amzn-trace-id", "Root=2-4bf92f35-77b34da6a3ce929d0e0e4736;Parent={S};Sampled=1")], "none"),
    incoming("OTel Python aws_xray_propagator: trace id too long", &[("x-amzn-trace-id", "Root={TX}0;Parent={S};Sampled=1")], "none"),
    incoming("OTel Python aws_xray_propagator: dashes elsewhere", &[("x-amzn-trace-id", "Root=1-4bf92f357-7b34da6a3ce929d0e0e4736;Parent={S};Sampled=1")], "none"),
    incoming("OTel Python aws_xray_propagator: trace id without dashes", &[("x-amzn-trace-id", "Root={T};Parent={S};Sampled=1")], "none"),
    incoming("OTel Python aws_xray_propagator: not hexadecimal", &[("x-amzn-trace-id", "Root=1-4bf92f3g-77b34da6a3ce929d0e0e4736;Parent={S};Sampled=1")], "none"),
    incoming("OTel Python aws_xray_propagator: zero trace id", &[("x-amzn-trace-id", "Root=1-00000000-000000000000000000000000;Parent={S};Sampled=1")], "none"),
    incoming("OTel Python aws_xray_propagator: zero parent", &[("x-amzn-trace-id", "Root={TX};Parent=0000000000000000;Sampled=1")], "none"),
    incoming("OTel Python aws_xray_propagator: parent too short", &[("x-amzn-trace-id", "Root={TX};Parent=f067aa0ba902b7;Sampled=1")], "none"),
    incoming("OTel Python aws_xray_propagator: a decision that is none", &[("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=")], "none"),
    incoming("OTel Python aws_xray_propagator: a decision that is none", &[("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=10")], "none"),
    incoming("our own, a field twice", &[("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=1;Sampled=0")], "none"),
    incoming("our own, digits in upper case", &[("x-amzn-trace-id", "Root=1-4BF92F35-77B34DA6A3CE929D0E0E4736;Parent=00F067AA0BA902B7;Sampled=1")], "{T}-{S}-01"),
    incoming("OTel Python aws_xray_propagator: two lines", &[("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=1"), ("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=1")], "none"),
    incoming("our own, keys in lower case", &[("x-amzn-trace-id", "root={TX};parent={S};sampled=1")], "none"),
];

#[rustfmt::skip]
pub(crate) const WRITTEN: &[Written] = &[
    written("OTel Python aws_xray_propagator, inject", "{T}-{S}-01", &[("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=1")]),
    written("OTel Python aws_xray_propagator, inject", "{T}-{S}-02", &[("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=0")]),
];
