//! Tables of other sizes and with missing functions: what is there works, what is not is
//! not called.

use std::mem::{offset_of, size_of};
use std::time::Duration;

use spandrel_plugin_api::abi::{ExporterTable, ProviderTable};
use spandrel_plugin_api::{
    Attribute, Event, Link, Provider, SpanBatch, SpanContext, SpanExporter, Status, Timestamp, TracingProvider,
};

use crate::misbehaving::{Misbehaving, context, start};

const LONG: Duration = Duration::from_secs(30);

const EXPORTER: [&str; 12] = [
    "export",
    "flush",
    "shutdown",
    "destroy",
    "on_idle",
    "after_fork_child",
    "on_start",
    "sample",
    "extract",
    "inject",
    "stats",
    "health",
];
const LIVE: [&str; 22] = [
    "start_span",
    "end_span",
    "set_span_status",
    "set_span_name",
    "add_span_attributes",
    "add_span_event",
    "add_span_link",
    "flush",
    "shutdown",
    "destroy",
    "enter_span",
    "exit_span",
    "enter_unsampled",
    "exit_unsampled",
    "current_context",
    "retire",
    "after_fork_child",
    "sample",
    "extract",
    "inject",
    "stats",
    "health",
];

#[test]
fn an_exporter_is_called_for_what_its_table_has_and_not_beyond() {
    let first = offset_of!(ExporterTable, export_batch);
    let sizes = (0..size_of::<ExporterTable>() + 100).step_by(4);
    check_sizes(&Misbehaving::exporter("sizes"), &EXPORTER, first, sizes, 1);
}

#[test]
fn a_live_provider_is_called_for_what_its_table_has_and_not_beyond() {
    let first = offset_of!(ProviderTable, start_span);
    let sizes = (0..size_of::<ProviderTable>() + 100).step_by(4);
    check_sizes(&Misbehaving::live("sizes_live"), &LIVE, first, sizes, 2);
}

/// Behind a table that is cut begins a page that nobody may read; see `cut` in the plugin.
fn check_sizes(
    plugin: &Misbehaving,
    entries: &[&str],
    first: usize,
    sizes: impl Iterator<Item = usize>,
    required: usize,
) {
    let mut made = 0;
    for size in sizes {
        let there = entries.len().min(size.saturating_sub(first) / size_of::<usize>());
        let before = plugin.calls().len();
        let result = plugin.create(&format!("size={size}"));
        assert_eq!(result.is_ok(), there >= required, "{size} bytes: {result:?}");
        let Ok(provider) = result else { continue };
        use_all(provider);
        made += 1;
        let calls = plugin.calls();
        let missing = entries[..there]
            .iter()
            .find(|entry| **entry != "after_fork_child" && !calls[before..].iter().any(|call| call == *entry));
        assert_eq!(missing, None, "{size} bytes, {there} functions");
        let strange = entries[there..].iter().find(|entry| calls[before..].iter().any(|call| call == *entry));
        assert_eq!(strange, None, "{size} bytes, {there} functions");
    }
    assert!(made > 20, "{made}");
}

#[test]
fn each_function_but_those_that_spans_need_may_be_missing() {
    let [exporter, live] = Misbehaving::both("missing");
    let entries = [(&exporter, &EXPORTER[1..]), (&live, &LIVE[2..])];
    for (plugin, entries) in entries {
        for entry in entries {
            let before = plugin.calls().len();
            use_all(plugin.create(&format!("no_{entry}=yes")).unwrap());
            let calls = &plugin.calls()[before..];
            assert!(!calls.iter().any(|call| call == entry), "{entry}: {calls:?}");
            assert!(calls.len() > 10, "{entry}: {calls:?}");
        }
    }
}

#[test]
fn unknown_flags_mean_nothing() {
    let live = Misbehaving::live("flags");
    let provider = live.create_live("flags=unknown");
    assert!(provider.records());
    let tracer = live.tracer("flags=unknown");
    tracer.context().within(|| spandrel::with_span("op", |span| assert!(span.is_recording())));
    assert_eq!(live.count("end_span"), 1);
}

/// Calls all that there is.
fn use_all(provider: Provider) {
    match provider {
        Provider::Live(provider) => {
            use_provider(&*provider);
            let context = context();
            let mut span = provider.start_span(&start("op", &context));
            provider.set_span_status(&mut span, Status::Error("text"));
            provider.set_span_name(&mut span, "name");
            provider.add_span_attributes(&mut span, &[Attribute::new("a", &1)]);
            let time = Timestamp::from_unix_nanos(1);
            provider.add_span_event(&mut span, &Event { name: "event", time, attributes: &[] });
            provider.add_span_link(&mut span, &Link { context: &context, attributes: &[] });
            provider.enter_span(&mut span);
            provider.enter_unsampled(&context);
            assert_eq!(provider.current_context(), None);
            provider.exit_unsampled(&context);
            provider.exit_span(&mut span);
            provider.end_span(span, time);
            provider.retire();
            provider.force_flush(LONG).unwrap();
            provider.shutdown(LONG).unwrap();
        }
        Provider::Exporter(exporter) => use_exporter(exporter),
        Provider::ExporterWith { exporter, companion } => {
            use_provider(&*companion);
            companion.start_span(&start("op", &context()));
            use_exporter(exporter);
        }
        other => panic!("{other:?}"),
    }
}

fn use_provider(provider: &dyn TracingProvider) {
    let (context, mut headers) = (SpanContext::default(), Vec::<(String, String)>::new());
    provider.sample(&start("op", &context));
    let _ = provider.extract_context(&headers);
    provider.inject_context(&context, &mut headers);
    provider.stats();
    provider.health().unwrap();
}

fn use_exporter(mut exporter: Box<dyn SpanExporter>) {
    exporter.export(&SpanBatch::new(&[b"", b""], 2)).unwrap();
    exporter.flush(LONG).unwrap();
    exporter.on_idle();
    exporter.shutdown(LONG).unwrap();
    // A second one is not passed on, nor is what comes after it.
    exporter.shutdown(LONG).unwrap();
    exporter.on_idle();
    assert!(exporter.export(&SpanBatch::new(&[], 0)).is_err());
}
