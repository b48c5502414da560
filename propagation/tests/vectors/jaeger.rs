//! `uber-trace-id`.

use crate::{Incoming, Written, incoming, written};

#[rustfmt::skip]
pub(crate) const INCOMING: &[Incoming] = &[
    incoming("OTel Rust jaeger propagator, get_extract_data", &[("uber-trace-id", "{T}:{S}:0:1")], "{T}-{S}-01"),
    incoming("OTel Rust jaeger propagator, get_extract_data", &[("uber-trace-id", "{T}:{S}:0:0")], "{T}-{S}-00"),
    incoming("OTel Rust jaeger propagator, get_extract_data", &[("uber-trace-id", "{T}:{S}:0:3")], "{T}-{S}-01 b3=d"),
    incoming("OTel Rust jaeger propagator, get_extract_data", &[("uber-trace-id", "4bf92f3577b34da6a3ce929d0e0e:f067aa0ba902b7:0:1")], "00004bf92f3577b34da6a3ce929d0e0e-{S}-01"),
    incoming("OTel Rust jaeger propagator, get_extract_data", &[("uber-trace-id", "invalidtractid:{S}:0:0")], "none"),
    incoming("OTel Rust jaeger propagator, get_extract_data", &[("uber-trace-id", "{T}:invalidspanID:0:0")], "none"),
    incoming("OTel Rust jaeger propagator, get_extract_data", &[("uber-trace-id", "{T}:{S}:0:120")], "none"),
    incoming("OTel Rust jaeger propagator, test_extract_span_context", &[("uber-trace-id", "12345:54321:ignored_parent_span_id:3")], "00000000000000000000000000012345-0000000000054321-01 b3=d"),
    incoming("OTel Rust jaeger propagator, test_extract_span_context", &[("uber-trace-id", "12345%3A54321%3Aignored_parent_span_id%3A3")], "00000000000000000000000000012345-0000000000054321-01 b3=d"),
    incoming("OTel Rust jaeger propagator, test_extract_span_context", &[("uber-trace-id", "not:4:parts:long:delimited:by:colons")], "none"),
    incoming("OTel Rust jaeger propagator, test_extract_span_context", &[("uber-trace-id", "12345:54321:ignored_parent_span_id:invalid_flag")], "none"),
    incoming("OTel Rust jaeger propagator, test_extract_too_many_parts", &[("uber-trace-id", "{T}:{S}:0:1:aa")], "none"),
    incoming("OTel Rust jaeger propagator, test_extract_from_url", &[("uber-trace-id", "{T}%3A{S}%3A0%3A1")], "{T}-{S}-01"),
    incoming("our own, lower case escapes", &[("uber-trace-id", "{T}%3a{S}%3a0%3a1")], "{T}-{S}-01"),
    incoming("OTel Rust jaeger propagator, test_extract_trace_id", &[("uber-trace-id", "111111111111111111111111111111111:{S}:0:1")], "none"),
    incoming("OTel Rust jaeger propagator, test_extract_span_id", &[("uber-trace-id", "{T}:11111111111111111:0:1")], "none"),
    incoming("Jaeger docs, Propagation Format: ids of variable length", &[("uber-trace-id", "1:2:0:1")], "00000000000000000000000000000001-0000000000000002-01"),
    incoming("Jaeger docs, Propagation Format: 64 bits", &[("uber-trace-id", "{LOWER}:{S}:0:1")], "{T64}-{S}-01"),
    incoming("Jaeger docs, Propagation Format: parent is deprecated", &[("Uber-Trace-Id", "{T}:{S}:05e3ac9a4f6e3b90:1")], "{T}-{S}-01"),
    incoming("Jaeger docs, Propagation Format: flags of two digits", &[("uber-trace-id", "{T}:{S}:0:01")], "{T}-{S}-01"),
    incoming("Jaeger docs, Propagation Format: firehose", &[("uber-trace-id", "{T}:{S}:0:9")], "{T}-{S}-01"),
    incoming("OTel spec, context/api-propagators: debug sets sampled", &[("uber-trace-id", "{T}:{S}:0:2")], "{T}-{S}-01 b3=d"),
    incoming("Jaeger docs, Propagation Format: zero trace id", &[("uber-trace-id", "0:{S}:0:1")], "none"),
    incoming("Jaeger docs, Propagation Format: zero span id", &[("uber-trace-id", "{T}:0:0:1")], "none"),
    incoming("our own, three parts", &[("uber-trace-id", "{T}:{S}:1")], "none"),
    incoming("our own, no flags", &[("uber-trace-id", "{T}:{S}:0:")], "none"),
    incoming("our own, a sign", &[("uber-trace-id", "+bf92:{S}:0:1")], "none"),
    incoming("our own, an underscore as Python takes it", &[("uber-trace-id", "4bf9_2f35:{S}:0:1")], "none"),
    incoming("our own, white space around", &[("uber-trace-id", " {T}:{S}:0:1\t")], "{T}-{S}-01"),
    incoming("our own, white space inside", &[("uber-trace-id", "{T}: {S}:0:1")], "none"),
    incoming("our own, two lines", &[("uber-trace-id", "{T}:{S}:0:1"), ("uber-trace-id", "{T}:{S}:0:1")], "none"),
    incoming("our own, two joined by a proxy", &[("uber-trace-id", "{T}:{S}:0:1,{T}:{S}:0:1")], "none"),
    incoming("our own, longer than any", &[("uber-trace-id", "{T}:{S}:{T}{T}{T}:1")], "none"),
    incoming("our own, digits in upper case", &[("uber-trace-id", "4BF92F3577B34DA6A3CE929D0E0E4736:00F067AA0BA902B7:0:1")], "{T}-{S}-01"),
];

#[rustfmt::skip]
pub(crate) const WRITTEN: &[Written] = &[
    written("OTel Rust jaeger propagator, get_inject_data", "{T}-{S}-01", &[("uber-trace-id", "{T}:{S}:0:1")]),
    written("OTel Rust jaeger propagator, get_inject_data", "{T}-{S}-00", &[("uber-trace-id", "{T}:{S}:0:0")]),
    written("OTel Rust jaeger propagator, get_inject_data", "{T}-{S}-01 b3=d", &[("uber-trace-id", "{T}:{S}:0:3")]),
    written("our own, the random flag is not Jaeger's debug flag", "{T}-{S}-03", &[("uber-trace-id", "{T}:{S}:0:1")]),
];
