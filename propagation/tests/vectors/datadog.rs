//! `x-datadog-*`.

use crate::{Incoming, Written, incoming, written};

#[rustfmt::skip]
pub(crate) const INCOMING: &[Incoming] = &[
    incoming("system-tests, test_distributed_headers_extract_datadog_D001", &[("x-datadog-trace-id", "123456789"), ("x-datadog-parent-id", "987654321"), ("x-datadog-sampling-priority", "2"), ("x-datadog-origin", "synthetics;=web,z"), ("x-datadog-tags", "_dd.p.dm=-4")],
        "000000000000000000000000075bcd15-000000003ade68b1-01 dd=s:2;o:synthetics_~web_z;t.dm:-4"),
    incoming("system-tests, test_distributed_headers_extract_datadog_invalid_D002", &[("x-datadog-trace-id", "0"), ("x-datadog-parent-id", "0"), ("x-datadog-sampling-priority", "2"), ("x-datadog-origin", "synthetics"), ("x-datadog-tags", "_dd.p.dm=-4")], "none"),
    incoming("system-tests, test_datadog_128_bit_propagation", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-tags", "_dd.p.tid={UPPER}")], "{T}-{S}-01"),
    incoming("system-tests, test_datadog_128_bit_propagation_tid_long", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-tags", "_dd.p.tid=1234567890abcdef1")], "{T64}-{S}-01"),
    incoming("system-tests, test_datadog_128_bit_propagation_tid_short", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-tags", "_dd.p.tid=1234567890abcde")], "{T64}-{S}-01"),
    incoming("system-tests, test_datadog_128_bit_propagation_tid_chars", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-tags", "_dd.p.tid=1234567890abcdeX")], "{T64}-{S}-01"),
    incoming("our own, tid in upper case", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-tags", "_dd.p.tid=4BF92F3577B34DA6")], "{T64}-{S}-01"),
    incoming("system-tests, test_datadog_128_bit_propagation_and_generation", &[("x-datadog-trace-id", "1234567890123456789"), ("x-datadog-parent-id", "987654321")], "0000000000000000112210f47de98115-000000003ade68b1-01"),
    incoming("system-tests, tracestate_dd_propagate_samplingpriority 1", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "2")], "{T64}-{S}-01 dd=s:2"),
    incoming("system-tests, tracestate_dd_propagate_samplingpriority 2", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "-1")], "{T64}-{S}-00 dd=s:-1"),
    incoming("system-tests, headers_precedence: priority -2", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "-2")], "{T64}-{S}-00 dd=s:-2"),
    incoming("Datadog docs, Trace Context Propagation: 0", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "0")], "{T64}-{S}-00 dd=s:0"),
    incoming("system-tests, tracestate_dd_propagate_origin 1", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-origin", "synthetics-browser")], "{T64}-{S}-01 dd=o:synthetics-browser"),
    incoming("system-tests, tracestate_dd_propagate_origin 3", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-origin", "synthetics~;=web,z")], "{T64}-{S}-01 dd=o:synthetics__~web_z"),
    incoming("system-tests, tracestate_dd_propagate_propagatedtags 1", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-tags", "_dd.p.usr.id=MTIz")], "{T64}-{S}-01 dd=t.usr.id:MTIz"),
    incoming("system-tests, tracestate_dd_propagate_propagatedtags 3", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-tags", "_dd.p.dm=-4,_dd.p.usr.id=baz64==,_dd.p.url=http://localhost"), ("x-datadog-sampling-priority", "1")],
        "{T64}-{S}-01 dd=s:1;t.dm:-4;t.usr.id:baz64~~;t.url:http://localhost"),
    incoming("our own, tags of others are not passed on", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-tags", "env=prod,_dd.p.dm=-4,_dd.q=1,nonsense")], "{T64}-{S}-01 dd=t.dm:-4"),
    incoming("our own, a tag key with a separator", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-tags", "_dd.p.a:b=1,_dd.p.=2,_dd.p.c=")], "{T64}-{S}-01"),
    incoming("our own, characters that may end a header", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-origin", "a\r\nb\u{e9}c"), ("x-datadog-tags", "_dd.p.x=\u{7f}y")], "{T64}-{S}-01 dd=o:a__b_c;t.x:_y"),
    incoming("our own, no parent", &[("x-datadog-trace-id", "{LOWER10}")], "none"),
    incoming("our own, parent 0 of a synthetic test", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "0"), ("x-datadog-sampling-priority", "1")], "none"),
    incoming("our own, a trace id of more than 64 bits", &[("x-datadog-trace-id", "18446744073709551616"), ("x-datadog-parent-id", "{S10}")], "none"),
    incoming("our own, a sign", &[("x-datadog-trace-id", "+123"), ("x-datadog-parent-id", "{S10}")], "none"),
    incoming("our own, hexadecimal", &[("x-datadog-trace-id", "{LOWER}"), ("x-datadog-parent-id", "{S10}")], "none"),
    incoming("our own, a priority that is none", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "yes")], "none"),
    incoming("our own, two lines", &[("x-datadog-trace-id", "1"), ("x-datadog-trace-id", "1"), ("x-datadog-parent-id", "{S10}")], "none"),
    incoming("our own, two lines of tags", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-tags", "_dd.p.a=1"), ("x-datadog-tags", "_dd.p.b=2")], "{T64}-{S}-01 dd=t.a:1"),
    incoming("our own, the largest numbers", &[("x-datadog-trace-id", "18446744073709551615"), ("x-datadog-parent-id", "18446744073709551615")], "0000000000000000ffffffffffffffff-ffffffffffffffff-01"),
];

#[rustfmt::skip]
pub(crate) const WRITTEN: &[Written] = &[
    written("Datadog docs, Trace Context Propagation", "{T64}-{S}-01", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "1")]),
    written("system-tests, test_datadog_128_bit_generation_enabled", "{T}-{S}-01", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "1"), ("x-datadog-tags", "_dd.p.tid={UPPER}")]),
    written("system-tests, tracestate_dd_propagate_samplingpriority 4", "{T64}-{S}-01 foo=1,dd=s:-1", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "1")]),
    written("system-tests, tracestate_dd_propagate_samplingpriority 5", "{T64}-{S}-01 foo=1,dd=s:2", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "2")]),
    written("system-tests, tracestate_dd_propagate_samplingpriority 6", "{T64}-{S}-00", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "0")]),
    written("system-tests, tracestate_dd_propagate_samplingpriority 7", "{T64}-{S}-00 foo=1,dd=s:-1", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "-1")]),
    written("system-tests, tracestate_dd_propagate_samplingpriority 8", "{T64}-{S}-00 foo=1,dd=s:1", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "0")]),
    written("system-tests, tracestate_dd_propagate_origin 5", "{T64}-{S}-00 foo=1,dd=s:-1;o:synthetics-browser", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "-1"), ("x-datadog-origin", "synthetics-browser")]),
    written("system-tests, tracestate_dd_propagate_propagatedtags 2", "{T}-{S}-01 dd=s:1;t.dm:-4;t.usr.id:baz64~~", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "1"), ("x-datadog-tags", "_dd.p.tid={UPPER},_dd.p.dm=-4,_dd.p.usr.id=baz64==")]),
    written("system-tests, test_w3c_128_bit_propagation_tid_inconsistent", "{T}-{S}-01 dd=t.tid:640cfd8d0000ffff", &[("x-datadog-trace-id", "{LOWER10}"), ("x-datadog-parent-id", "{S10}"), ("x-datadog-sampling-priority", "1"), ("x-datadog-tags", "_dd.p.tid={UPPER}")]),
    written("our own, a trace id that has no lower half", "{UPPER}0000000000000000-{S}-01", &[]),
];
