use spandrel_plugin_api::{Carrier, SpanContext};

use super::{TRACEPARENT, TraceContextPropagator};
use crate::{Baggage, Extracted, Outgoing, Propagator};

const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-01";

fn extract(headers: &[(&str, &str)]) -> Option<SpanContext> {
    let mut into = Extracted::default();
    TraceContextPropagator.extract(&headers.to_vec(), &mut into);
    into.span_context
}

fn inject(context: &SpanContext) -> Vec<(String, String)> {
    let mut carrier = Vec::new();
    TraceContextPropagator.inject(&Outgoing::new(Some(context), &Baggage::new()), &mut carrier);
    carrier
}

/// What becomes of a `traceparent`: the header written for it, if it is accepted.
fn passed_on(traceparent: &str) -> Option<String> {
    let context = extract(&[(TRACEPARENT, traceparent)])?;
    let headers = inject(&context);
    assert_eq!(headers.len(), 1, "no trace state came in");
    Some(headers[0].1.clone())
}

fn state(lines: &[&str]) -> String {
    let mut headers = vec![(TRACEPARENT, PARENT)];
    headers.extend(lines.iter().map(|line| ("tracestate", *line)));
    let context = extract(&headers).expect("a tracestate never harms the traceparent");
    context.trace_state().as_str().to_owned()
}

// Source: w3c/trace-context, test/test.py; vectors of our own.
#[test]
fn well_formed_traceparents_are_passed_on() {
    let ids = "12345678901234567890123456789012-1234567890123456";
    #[rustfmt::skip]
    let accepted = [
        ("the example of the specification", format!("00-{ids}-01"), "01"),
        ("not sampled", format!("00-{ids}-00"), "00"),
        ("random", format!("00-{ids}-02"), "02"),
        ("random and sampled", format!("00-{ids}-03"), "03"),
        ("unknown flags are zeroed", format!("00-{ids}-ff"), "03"),
        ("unknown flags alone", format!("00-{ids}-fc"), "00"),
        ("a later version", format!("cc-{ids}-01"), "01"),
        ("the last version", format!("fe-{ids}-01"), "01"),
        ("a later version with more fields", format!("cc-{ids}-01-what-the-future-will-be-like"), "01"),
        ("a later version with an empty field", format!("01-{ids}-01-"), "01"),
        ("white space in front", format!(" 00-{ids}-01"), "01"),
        ("a tab in front", format!("\t00-{ids}-01"), "01"),
        ("white space behind", format!("00-{ids}-01 "), "01"),
        ("a tab behind", format!("00-{ids}-01\t"), "01"),
        ("white space on both sides", format!("\t 00-{ids}-01 \t"), "01"),
    ];
    for (case, header, flags) in accepted {
        assert_eq!(passed_on(&header), Some(format!("00-{ids}-{flags}")), "{case}");
    }
}

#[test]
fn malformed_traceparents_are_ignored() {
    #[rustfmt::skip]
    let rejected = [
        ("empty", ""),
        ("white space only", " \t "),
        ("version 00 with something behind", "00-12345678901234567890123456789012-1234567890123456-01."),
        ("version 00 with a dash behind", "00-12345678901234567890123456789012-1234567890123456-01-"),
        ("version 00 with more fields", "00-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like"),
        ("later version without a dash", "cc-12345678901234567890123456789012-1234567890123456-01.what-the-future-will-be-like"),
        ("later version, flags too long", "cc-12345678901234567890123456789012-1234567890123456-011"),
        ("later version, too short", "cc-12345678901234567890123456789012-1234567890123456-0"),
        ("version ff", "ff-12345678901234567890123456789012-1234567890123456-01"),
        ("version ff with more fields", "ff-12345678901234567890123456789012-1234567890123456-01-x"),
        ("version with a dot first", ".0-12345678901234567890123456789012-1234567890123456-01"),
        ("version with a dot last", "0.-12345678901234567890123456789012-1234567890123456-01"),
        ("version with a sign", "+0-12345678901234567890123456789012-1234567890123456-01"),
        ("version in upper case", "CC-12345678901234567890123456789012-1234567890123456-01"),
        ("version too long", "000-12345678901234567890123456789012-1234567890123456-01"),
        ("version far too long", "0000-12345678901234567890123456789012-1234567890123456-01"),
        ("version too short", "0-12345678901234567890123456789012-1234567890123456-01"),
        ("trace id all zero", "00-00000000000000000000000000000000-1234567890123456-01"),
        ("trace id with a dot first", "00-.2345678901234567890123456789012-1234567890123456-01"),
        ("trace id with a dot last", "00-1234567890123456789012345678901.-1234567890123456-01"),
        ("trace id in upper case", "00-1234567890123456789012345678901A-1234567890123456-01"),
        ("trace id with a sign", "00-+2345678901234567890123456789012-1234567890123456-01"),
        ("trace id too long", "00-123456789012345678901234567890123-1234567890123456-01"),
        ("trace id too short", "00-1234567890123456789012345678901-1234567890123456-01"),
        ("parent id all zero", "00-12345678901234567890123456789012-0000000000000000-01"),
        ("parent id with a dot first", "00-12345678901234567890123456789012-.234567890123456-01"),
        ("parent id with a dot last", "00-12345678901234567890123456789012-123456789012345.-01"),
        ("parent id in upper case", "00-12345678901234567890123456789012-123456789012345B-01"),
        ("parent id too long", "00-12345678901234567890123456789012-12345678901234567-01"),
        ("parent id too short", "00-12345678901234567890123456789012-123456789012345-01"),
        ("flags with a dot first", "00-12345678901234567890123456789012-1234567890123456-.0"),
        ("flags with a dot last", "00-12345678901234567890123456789012-1234567890123456-0."),
        ("flags with a sign", "00-12345678901234567890123456789012-1234567890123456-+1"),
        ("flags in upper case", "00-12345678901234567890123456789012-1234567890123456-0A"),
        ("flags too long", "00-12345678901234567890123456789012-1234567890123456-001"),
        ("flags too short", "00-12345678901234567890123456789012-1234567890123456-1"),
        ("underscores for dashes", "00_12345678901234567890123456789012_1234567890123456_01"),
        ("white space inside", "00-12345678901234567890123456789012 -1234567890123456-01"),
        ("a line feed behind", "00-12345678901234567890123456789012-1234567890123456-01\n"),
        ("two, joined by a comma", "00-12345678901234567890123456789012-1234567890123456-01,00-12345678901234567890123456789012-1234567890123456-01"),
        ("later version, two joined", "cc-12345678901234567890123456789012-1234567890123456-01,cc-12345678901234567890123456789012-1234567890123456-01"),
        ("characters of several bytes", "00-1234567890123456789012345678901é-123456789012345-01"),
        ("a character across the 55th byte", "00-12345678901234567890123456789012-1234567890123456-0é"),
    ];
    for (case, header) in rejected {
        assert_eq!(passed_on(header), None, "{case}");
    }
}

#[test]
fn two_traceparent_lines_are_as_good_as_none() {
    let other = "00-12345678901234567890123456789011-1234567890123456-01";
    for second in [PARENT, other, "", "nonsense"] {
        assert_eq!(extract(&[(TRACEPARENT, PARENT), (TRACEPARENT, second)]), None, "{second:?} second");
        assert_eq!(extract(&[(TRACEPARENT, second), (TRACEPARENT, PARENT)]), None, "{second:?} first");
    }
    assert_eq!(extract(&[(TRACEPARENT, PARENT), ("TraceParent", PARENT), (TRACEPARENT, PARENT)]), None);
}

#[test]
fn header_names_compare_without_regard_to_case_and_in_one_word() {
    for name in ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"] {
        assert!(extract(&[(name, PARENT)]).is_some(), "{name}");
    }
    for name in ["trace-parent", "trace.parent", "traceparent "] {
        assert!(extract(&[(name, PARENT)]).is_none(), "{name}");
    }
}

#[test]
fn an_extracted_context_is_remote_and_stays() {
    let mut into = Extracted::default();
    TraceContextPropagator.extract(&vec![(TRACEPARENT, PARENT)], &mut into);
    assert!(into.span_context.as_ref().is_some_and(SpanContext::is_remote));

    let known = into.span_context.clone();
    let other = PARENT.replace('9', "8");
    for header in ["nonsense", &other] {
        TraceContextPropagator.extract(&vec![(TRACEPARENT, header)], &mut into);
        assert_eq!(into.span_context, known);
    }
}

#[test]
fn a_trace_state_needs_a_traceparent() {
    assert_eq!(extract(&[("tracestate", "foo=1")]), None);
    assert_eq!(extract(&[(TRACEPARENT, "nonsense"), ("tracestate", "foo=1")]), None);
}

#[test]
fn trace_state_lines_are_joined_in_their_order() {
    let long_key = "z".repeat(256);
    let all = (0x20..0x7f_u8).map(char::from).filter(|c| !matches!(c, ',' | '=')).collect::<String>();
    let at_sign = format!("{}@{}=1", "t".repeat(241), "v".repeat(14));
    let eleven = (10..21).map(|i| format!("key{i}={}", "v".repeat(48))).collect::<Vec<_>>().join(",");
    assert_eq!(eleven.len(), 604);
    #[rustfmt::skip]
    let accepted: &[(&[&str], String)] = &[
        (&[], String::new()),
        (&[""], String::new()),
        (&["", " ", ",", " , ,\t"], String::new()),
        (&["foo=1,bar=2"], "foo=1,bar=2".into()),
        (&["foo=1", ""], "foo=1".into()),
        (&["", "foo=1"], "foo=1".into()),
        (&["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3".into()),
        (&["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3".into()),
        (&["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3".into()),
        (&["\t foo=1 \t"], "foo=1".into()),
        (&["foo=  1"], "foo=  1".into()),
        (&["foo@=1,bar=2"], "foo@=1,bar=2".into()),
        (&["foo@@bar=1,foo@bar@baz=2"], "foo@@bar=1,foo@bar@baz=2".into()),
        (&["0foo=1"], "0foo=1".into()),
        (&[&at_sign], at_sign.clone()),
        (&["foo=1", &format!("{long_key}=1")], format!("foo=1,{long_key}=1")),
        (&[&format!("abcdefghijklmnopqrstuvwxyz0123456789_-*/@={all}")], format!("abcdefghijklmnopqrstuvwxyz0123456789_-*/@={all}")),
        (&[&eleven], eleven.clone()),
    ];
    for (lines, expected) in accepted {
        assert_eq!(state(lines), *expected, "{lines:?}");
    }
}

#[test]
fn a_malformed_trace_state_is_dropped_alone() {
    let long_key = format!("{}=1", "z".repeat(257));
    let long_value = format!("z={}", "1".repeat(257));
    #[rustfmt::skip]
    let rejected: &[&[&str]] = &[
        &["foo =1"],
        &["FOO=1"],
        &["foo.bar=1"],
        &["@foo=1,bar=2"],
        &["foo=1", "@bar=2"],
        &["foo=bar=baz"],
        &["foo=,bar=3"],
        &["foo"],
        &["foo=1\u{7f}"],
        &["foo=1\r\nx-injected: 1"],
        &["foo=é"],
        &["foo=1", &long_key],
        &["foo=1", &long_value],
    ];
    for lines in rejected {
        assert_eq!(state(lines), "", "{lines:?}");
    }
}

// The specification lets one of them be dropped or both be kept; which it is
// here is for `TraceState` to say.
#[test]
fn a_key_that_occurs_twice_in_a_trace_state_never_harms_the_rest() {
    for lines in [&["foo=1,foo=1"][..], &["foo=1,foo=2"], &["foo=1", "foo=1"], &["foo=1", "foo=2"]] {
        let state = state(lines);
        assert!(state.matches("foo=").count() <= 1, "{lines:?}: {state}");
    }
}

#[test]
fn as_many_members_as_the_specification_allows() {
    let members =
        |range: std::ops::Range<u32>| range.map(|i| format!("bar{i:02}={i:02}")).collect::<Vec<_>>().join(",");
    let all = members(0..32);
    assert_eq!(state(&[&members(0..10), &members(10..20), &members(20..32)]), all);
    assert_eq!(state(&[&all, "bar32=32"]), "");
}

#[test]
fn the_longest_trace_state_is_kept_and_longer_text_is_not_looked_at() {
    let member = |i: u32| format!("{i:02}{}={}", "k".repeat(254), "v".repeat(254));
    let longest: Vec<String> = (10..26).map(member).collect();
    let joined = longest.join(",");
    assert_eq!(joined.len(), TraceContextPropagator::MAX_STATE_BYTES - 1);
    assert_eq!(state(&[&joined]), joined);
    let lines: Vec<&str> = longest.iter().map(String::as_str).collect();
    assert_eq!(state(&lines), joined);
    assert_eq!(state(&[&joined, "a=1"]), "");

    assert_eq!(state(&[&format!("a=1{}", ",".repeat(127))]), "a=1");
    assert_eq!(state(&[&format!("a=1{}", ",".repeat(128))]), "");

    let padded = format!("foo=1{}", " ".repeat(TraceContextPropagator::MAX_STATE_BYTES));
    assert_eq!(state(&[&padded]), "");
    assert_eq!(state(&["foo=1", &padded, "bar=2"]), "");
}

#[test]
fn a_traceparent_of_a_later_version_may_have_512_bytes() {
    let ids = "12345678901234567890123456789012-1234567890123456";
    let longest = format!("cc-{ids}-01-{}", "x".repeat(512 - 56));
    assert_eq!(passed_on(&longest), Some(PARENT.to_owned()));
    assert_eq!(passed_on(&format!("{longest}x")), None);
}

#[test]
fn writes_nothing_needless() {
    let mut carrier: Vec<(String, String)> = Vec::new();
    let baggage = Baggage::new();
    TraceContextPropagator.inject(&Outgoing::new(None, &baggage), &mut carrier);
    TraceContextPropagator.inject(&Outgoing::new(Some(&SpanContext::default()), &baggage), &mut carrier);
    assert!(carrier.is_empty());

    let context = extract(&[(TRACEPARENT, PARENT), ("tracestate", "foo=1")]).expect("is well-formed");
    let headers = inject(&context);
    assert_eq!(headers, [(TRACEPARENT.into(), PARENT.into()), ("tracestate".into(), "foo=1".into())]);
}

#[test]
fn replaces_what_the_carrier_had() {
    let mut carrier = vec![("TraceParent".to_owned(), "nonsense".to_owned())];
    let context = extract(&[(TRACEPARENT, PARENT)]);
    TraceContextPropagator.inject(&Outgoing::new(context.as_ref(), &Baggage::new()), &mut carrier);
    let mut values = Vec::new();
    carrier.for_each_value(TRACEPARENT, &mut |value| values.push(value.to_owned()));
    assert_eq!(values, [PARENT]);
}
