//! Header vectors of all formats, each with its source.
//!
//! In headers and results `{T}` stands for a trace id, `{S}` for a span id, and so on; see
//! [`fill`]. A result is a span context as `trace-span-flags`, with the trace state behind a
//! blank if there is one, or `none`.

mod b3;
mod baggage;
mod datadog;
mod jaeger;
mod several;
mod tracecontext;
mod vector;
mod xray;

use spandrel_plugin_api::{SpanContext, TraceState};
use spandrel_propagation::{Baggage, Extracted, Outgoing, Propagator, TraceContextPropagator, by_name};

use vector::{Incoming, Written, fill, incoming, written};

type Headers = Vec<(String, String)>;

fn headers(headers: &[(&str, &str)]) -> Headers {
    headers.iter().map(|(name, value)| (fill(name), fill(value))).collect()
}

fn extract(names: &[&str], headers: &Headers) -> Extracted {
    let mut into = Extracted::default();
    for name in names {
        by_name(name).expect("is a propagator").extract(headers, &mut into);
    }
    into
}

fn inject(names: &[&str], context: &SpanContext, baggage: &Baggage) -> Headers {
    let mut carrier = Headers::new();
    for name in names {
        by_name(name).expect("is a propagator").inject(&Outgoing::new(Some(context), baggage), &mut carrier);
    }
    carrier
}

fn describe(context: Option<&SpanContext>) -> String {
    let Some(context) = context else { return "none".to_owned() };
    let mut text = format!("{}-{}-{:02x}", context.trace_id(), context.span_id(), context.flags().bits());
    if !context.trace_state().is_empty() {
        text.extend([" ", context.trace_state().as_str()]);
    }
    text
}

/// The context that [`describe`] would write so.
fn context(text: &str) -> SpanContext {
    let text = fill(text);
    let (parent, state) = text.split_once(' ').unwrap_or((&text, ""));
    let mut into = Extracted::default();
    TraceContextPropagator.extract(&vec![("traceparent", format!("00-{parent}"))], &mut into);
    let state = TraceState::parse(state).expect("is well-formed");
    into.span_context.expect("is well-formed").with_trace_state(state)
}

#[track_caller]
fn check_incoming(names: &[&str], vectors: &[Incoming]) {
    for vector in vectors {
        let headers = headers(vector.headers);
        let found = extract(names, &headers).span_context;
        assert_eq!(describe(found.as_ref()), fill(vector.expected), "{}: {headers:#?}", vector.source);
        let Some(found) = found.filter(|_| !names.is_empty()) else { continue };
        assert!(found.is_remote(), "{}", vector.source);
        // What was understood is understood again when it is passed on.
        let again = extract(names, &inject(names, &found, &Baggage::new())).span_context;
        let ids = |context: &SpanContext| (context.trace_id(), context.span_id(), context.is_sampled());
        assert_eq!(again.as_ref().map(ids), Some(ids(&found)), "{}, passed on: {headers:#?}", vector.source);
    }
}

#[track_caller]
fn check_written(names: &[&str], vectors: &[Written]) {
    for vector in vectors {
        let found = inject(names, &context(vector.context), &Baggage::new());
        assert_eq!(found, headers(vector.headers), "{}: {}", vector.source, vector.context);
    }
}

#[test]
fn each_format_reads_and_writes_as_its_vectors_have_it() {
    check_incoming(&["tracecontext"], tracecontext::INCOMING);
    check_written(&["tracecontext"], tracecontext::WRITTEN);
    for names in [["b3"], ["b3multi"]] {
        check_incoming(&names, b3::INCOMING);
    }
    check_written(&["b3"], b3::WRITTEN_SINGLE);
    check_written(&["b3multi"], b3::WRITTEN_MULTI);
    check_incoming(&["jaeger"], jaeger::INCOMING);
    check_written(&["jaeger"], jaeger::WRITTEN);
    check_incoming(&["xray"], xray::INCOMING);
    check_written(&["xray"], xray::WRITTEN);
    check_incoming(&["datadog"], datadog::INCOMING);
    check_written(&["datadog"], datadog::WRITTEN);
}

#[test]
fn baggage_is_passed_on_as_its_vectors_have_it() {
    for vector in baggage::PASSED_ON {
        let found = extract(&["baggage"], &headers(vector.headers)).baggage;
        let mut carrier = Headers::new();
        by_name("baggage").expect("is a propagator").inject(&Outgoing::new(None, &found), &mut carrier);
        let out = carrier.pop().map_or_else(|| "none".to_owned(), |(_, value)| value);
        assert_eq!(out, vector.expected, "{}: {:?}", vector.source, vector.headers);
    }
}

#[test]
fn several_formats_are_tried_in_their_order() {
    for (names, vectors) in several::INCOMING {
        check_incoming(names, vectors);
    }
    for (names, vectors) in several::WRITTEN {
        check_written(names, vectors);
    }
}

#[test]
fn there_are_enough_vectors_and_each_names_its_source() {
    let read = [tracecontext::INCOMING, b3::INCOMING, jaeger::INCOMING, xray::INCOMING, datadog::INCOMING];
    let read =
        read.into_iter().chain([baggage::PASSED_ON]).chain(several::INCOMING.iter().map(|(_, vectors)| *vectors));
    let out = [tracecontext::WRITTEN, b3::WRITTEN_SINGLE, b3::WRITTEN_MULTI, jaeger::WRITTEN, xray::WRITTEN];
    let out = out.into_iter().chain([datadog::WRITTEN]).chain(several::WRITTEN.iter().map(|(_, vectors)| *vectors));
    let sources: Vec<&str> = read.flatten().map(|v| v.source).chain(out.flatten().map(|v| v.source)).collect();
    assert!(sources.iter().all(|source| source.len() > 3));
    assert!(sources.len() >= 150, "{}", sources.len());
}
