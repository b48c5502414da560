//! Several formats at once: the first that is understood wins, and all are written.

use crate::{Incoming, Written, incoming, written};

type Names = &'static [&'static str];

#[rustfmt::skip]
pub(crate) const INCOMING: &[(Names, &[Incoming])] = &[
    (&["tracecontext", "datadog"], &[
        incoming("system-tests, headers_precedence tracecontext,datadog 1", &[("traceparent", "00-{T}-{S}-01")], "{T}-{S}-01"),
        incoming("system-tests, headers_precedence tracecontext,datadog 3", &[("traceparent", "00-{T}-{S}-01"), ("tracestate", "foo=1"), ("x-datadog-trace-id", "123456789"), ("x-datadog-parent-id", "987654321"), ("x-datadog-sampling-priority", "-2")], "{T}-{S}-01 foo=1"),
        incoming("system-tests, headers_precedence tracecontext,datadog 4", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "-2")], "{T64}-{S}-00 dd=s:-2"),
        incoming("system-tests, headers_precedence tracecontext,datadog 5", &[("traceparent", "00-{T}-0000000000000000-01"), ("tracestate", "foo=1"), ("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "-2")], "{T64}-{S}-00 dd=s:-2"),
    ]),
    (&["datadog", "tracecontext"], &[
        incoming("system-tests, headers_precedence datadog,tracecontext 1", &[("traceparent", "00-{T}-{S}-01")], "{T}-{S}-01"),
        incoming("system-tests, headers_precedence datadog,tracecontext 3", &[("traceparent", "00-{T}-{S}-01"), ("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "-2")], "{T64}-{S}-00 dd=s:-2"),
    ]),
    (&["b3", "tracecontext"], &[
        incoming("our own, b3 first", &[("traceparent", "00-{T}-{S}-01"), ("tracestate", "foo=1"), ("b3", "{LOWER}-{S}-0")], "{T64}-{S}-00"),
        incoming("our own, b3 malformed", &[("traceparent", "00-{T}-{S}-01"), ("tracestate", "foo=1"), ("b3", "{LOWER}-{S}-2")], "{T}-{S}-01 foo=1"),
        incoming("our own, debug within a trace state", &[("traceparent", "00-{T}-{S}-01"), ("tracestate", "b3=d")], "{T}-{S}-01 b3=d"),
    ]),
    (&["xray", "jaeger", "b3multi"], &[
        incoming("our own, the last of three", &[("x-b3-traceid", "{T}"), ("x-b3-spanid", "{S}"), ("x-b3-sampled", "1")], "{T}-{S}-01"),
        incoming("our own, the second of three", &[("x-b3-traceid", "{T}"), ("x-b3-spanid", "{S}"), ("uber-trace-id", "1:2:0:0")], "00000000000000000000000000000001-0000000000000002-00"),
    ]),
    (&[], &[
        incoming("OTel spec, configuration: none", &[("traceparent", "00-{T}-{S}-01")], "none"),
    ]),
];

#[rustfmt::skip]
pub(crate) const WRITTEN: &[(Names, &[Written])] = &[
    (&["tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "datadog"], &[
        written("our own, all at once", "{T}-{S}-01 b3=d,dd=s:2;o:rum", &[
            ("traceparent", "00-{T}-{S}-01"), ("tracestate", "b3=d,dd=s:2;o:rum"),
            ("b3", "{T}-{S}-d"),
            ("x-b3-traceid", "{T}"), ("x-b3-spanid", "{S}"), ("x-b3-flags", "1"),
            ("uber-trace-id", "{T}:{S}:0:3"),
            ("x-amzn-trace-id", "Root={TX};Parent={S};Sampled=1"),
            ("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "2"),
            ("x-datadog-origin", "rum"), ("x-datadog-tags", "_dd.p.tid={UPPER}"),
        ]),
    ]),
    (&["b3", "jaeger"], &[
        written("our own, each once", "{T}-{S}-00", &[("b3", "{T}-{S}-0"), ("uber-trace-id", "{T}:{S}:0:0")]),
    ]),
];
