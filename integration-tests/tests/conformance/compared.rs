//! The same calls, linked and loaded, make the same spans.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use spandrel_integration_tests::otlp_json;
use spandrel_integration_tests::process::Folder;
use spandrel_plugin_api::{
    Event, Host, InstrumentationScope, Link, OwnedAttribute, OwnedValue, Provider, ProviderFactory, Resource,
    SpanContext, SpanData, SpanExporter, SpanId, SpanKind, SpanStart, Status, Timestamp, TraceFlags, TraceId,
    TraceState, TracingProvider,
};
use spandrel_provider_file::FileFactory;
use spandrel_provider_memory::{MemoryExporter, MemoryStore};
use spandrel_recorder::{Recorder, RecorderConfig};

use crate::loaded::loaded;

const THREADS: u64 = 3;
const SPANS: u64 = 60;

#[test]
fn linked_and_loaded_make_the_same_spans() {
    let store = MemoryStore::new(NonZeroUsize::MAX);
    play(&recorder(Box::new(MemoryExporter::new(store.clone()))));
    let expected = sorted(store.spans());
    assert_eq!(expected.len() as u64, THREADS * SPANS);
    assert!(expected.iter().any(|span| span.dropped_counts != (0, 0, 0)), "limits are reached, too");

    let plugins = [&FileFactory as &dyn ProviderFactory, &loaded("file"), &loaded("live_memory")];
    for (factory, way) in plugins.into_iter().zip(["linked file", "loaded file", "loaded live"]) {
        let folder = Folder::new();
        let path = folder.file("traces.jsonl");
        match factory.create(&format!("path = '{}'", path.display()), &Host::new(&resource())) {
            Ok(Provider::Exporter(exporter)) => play(&recorder(exporter)),
            Ok(Provider::Live(provider)) => play(&*provider),
            other => panic!("{way}: {other:?}"),
        }
        let spans = sorted(otlp_json::read(&path));
        assert_eq!(spans.len(), expected.len(), "{way}");
        for (span, expected) in spans.iter().zip(&expected) {
            // By their texts, as a NaN is equal to nothing.
            assert_eq!(format!("{span:#?}"), format!("{expected:#?}"), "{way}");
        }
    }
}

fn recorder(exporter: Box<dyn SpanExporter>) -> Recorder {
    Recorder::new(RecorderConfig::default(), &resource(), vec![("branch".to_owned(), exporter)])
}

fn resource() -> Resource {
    let resource = Resource::new().with("service.name", "compared").with("process.pid", 42).with("share", 0.5);
    resource.with("on", true).with("names", vec!["a".to_owned(), "ü".to_owned()])
}

fn sorted(mut spans: Vec<SpanData>) -> Vec<SpanData> {
    spans.sort_by_key(|span| (span.trace_id, span.span_id));
    spans
}

fn play(provider: &dyn TracingProvider) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || (0..SPANS).for_each(|n| play_span(provider, thread, n)));
        }
    });
    provider.force_flush(Duration::from_secs(30)).unwrap();
    provider.shutdown(Duration::from_secs(30)).unwrap();
}

/// All that a span can have, its amount and values by number.
fn play_span(provider: &dyn TracingProvider, thread: u64, n: u64) {
    let (context, parent) = (context(thread, n), context(thread, n / 2).with_remote(n.is_multiple_of(3)));
    // Around the sizes up to which nothing is allocated, and beyond the limits.
    let [attributes, more] = [n, n + 3].map(|n| attributes(n, [0, 1, 7, 16, 17, 40, 130][n as usize % 7]));
    let [attributes, more] =
        [&attributes, &more].map(|owned| owned.iter().map(OwnedAttribute::as_attribute).collect::<Vec<_>>());
    let link = |i: u64| Link { context: &parent, attributes: if i.is_multiple_of(20) { &attributes } else { &[] } };
    let links: Vec<Link<'_>> = (0..[0, 1, 3, 200][n as usize % 4]).map(link).collect();
    let kinds = [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    let mut span = provider.start_span(&SpanStart {
        name: &format!("span {n} \u{1f980}"),
        context: &context,
        parent: (!n.is_multiple_of(4)).then_some(&parent),
        kind: kinds[n as usize % 5],
        time: Timestamp::from_unix_nanos(1_700_000_000_000_000_000 + n),
        attributes: &attributes,
        links: &links,
        scope: InstrumentationScope { name: ["", "scope"][n as usize % 2], version: ["1.0", ""][n as usize / 2 % 2] },
    });
    provider.add_span_attributes(&mut span, &more);
    for i in 0..[0, 2, 130][n as usize % 3] {
        let time = Timestamp::from_unix_nanos(u64::MAX - i);
        let attributes = if i < 2 { &more[..] } else { &[] };
        provider.add_span_event(&mut span, &Event { name: "event", time, attributes });
    }
    provider.add_span_link(&mut span, &link(n));
    let statuses = [Status::Unset, Status::Ok, Status::Error(""), Status::Error("no\0 text\n")];
    provider.set_span_status(&mut span, statuses[n as usize % 4]);
    provider.set_span_status(&mut span, statuses[n as usize / 4 % 4]);
    if n.is_multiple_of(7) {
        provider.set_span_name(&mut span, "");
    }
    provider.end_span(span, Timestamp::from_unix_nanos(1_700_000_001_000_000_000 + n * thread));
}

fn context(thread: u64, n: u64) -> SpanContext {
    let mut id = [1; 16];
    id[..8].copy_from_slice(&thread.to_be_bytes());
    let flags =
        if n.is_multiple_of(2) { TraceFlags::SAMPLED } else { TraceFlags::SAMPLED.with_sampled(!n.is_multiple_of(5)) };
    let context = SpanContext::new(TraceId::from_bytes(id), SpanId::from_bytes((n + 1).to_be_bytes()), flags);
    match n % 3 {
        0 => context.with_trace_state(TraceState::parse("a=1,b@c=x y").unwrap()),
        _ => context,
    }
}

fn attributes(n: u64, count: u64) -> Vec<OwnedAttribute> {
    (0..count).map(|i| OwnedAttribute::new(format!("key {i}"), value(n + i))).collect()
}

fn value(n: u64) -> OwnedValue {
    let texts = ["", "text", "\u{feff}\u{0}\u{10ffff}", "a\"b\\c\n"];
    let number = [0.0, -0.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 0.1, -1e300][n as usize / 8 % 7];
    let integer = [0, -1, i64::MIN, i64::MAX][n as usize / 8 % 4];
    let len = n as usize / 8 % 4;
    match n % 8 {
        0 => OwnedValue::Bool(n.is_multiple_of(16)),
        1 => OwnedValue::I64(integer),
        2 => OwnedValue::F64(number),
        3 => OwnedValue::Str(texts[len].to_owned()),
        4 => OwnedValue::BoolArray([true, false, false, true][..len].to_vec()),
        5 => OwnedValue::I64Array(vec![integer; len]),
        6 => OwnedValue::F64Array(vec![number; len]),
        _ => OwnedValue::StrArray(texts[..len].iter().map(|text| (*text).to_owned()).collect()),
    }
}
