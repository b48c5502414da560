//! Spans of the facade and of OpenTelemetry libraries form one trace.

mod common;

use std::thread;

use opentelemetry::trace::{FutureExt, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SdkTracer};
use spandrel::{InSpanExt, SpanContext};
use spandrel_plugin_api::{OwnedValue, SpanData, SpanId, StatusData, TracingProvider};
use spandrel_provider_opentelemetry::{OpenTelemetryProvider, PipelineBuilder};

use common::{KeepingExporter, LONG};

/// A facade over the SDK, and a tracer of the same SDK for a library.
struct Both {
    facade: spandrel::Tracer,
    library: SdkTracer,
    kept: KeepingExporter,
}

impl Both {
    fn new() -> Self {
        Self::with(parent_based(), |builder| builder)
    }

    fn with(sampler: spandrel::Sampler, customize: impl FnOnce(PipelineBuilder) -> PipelineBuilder) -> Self {
        let kept = KeepingExporter::default();
        let provider: OpenTelemetryProvider =
            customize(PipelineBuilder::new()).with_exporter("kept", kept.clone()).build();
        let library = provider.tracer_provider().tracer("library");
        let builder = spandrel::builder().sampler(sampler);
        let facade = builder.provider("opentelemetry", move || provider.clone()).build().unwrap();
        Self { facade, library, kept }
    }

    fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        self.facade.context().within(f)
    }

    /// Fails unless these spans and no others were exported, each a child of the one before.
    fn check_chain(&self, names: &[&str]) {
        self.facade.flush(LONG).unwrap();
        let spans: Vec<SpanData> = names.iter().map(|name| self.kept.span(name)).collect();
        assert_eq!(self.kept.spans().len(), names.len(), "{:?}", self.kept.spans());
        assert_eq!(spans[0].parent_span_id, None, "{}", names[0]);
        for pair in spans.windows(2) {
            assert_eq!(pair[1].trace_id, pair[0].trace_id, "trace of {}", pair[1].name);
            assert_eq!(pair[1].parent_span_id, Some(pair[0].span_id), "parent of {}", pair[1].name);
            assert!(!pair[1].has_remote_parent);
        }
        let stats = self.facade.stats();
        assert!(stats.is_balanced() && stats.exported() == names.len() as u64, "{stats}");
    }
}

fn parent_based() -> spandrel::Sampler {
    spandrel::Sampler::parent_based(spandrel::Sampler::always_on())
}

fn ids(context: &Context) -> (String, String) {
    let span = context.span();
    (span.span_context().trace_id().to_string(), span.span_context().span_id().to_string())
}

fn facade_ids() -> Option<(String, String)> {
    spandrel::current().map(|context: SpanContext| (context.trace_id().to_string(), context.span_id().to_string()))
}

#[test]
fn what_goes_out_names_the_span_of_a_library() {
    let both = Both::new();
    let mut sent: Vec<(String, String)> = Vec::new();
    both.within(|| {
        spandrel::with_span("a", |_| {
            both.library.in_span("b", |context| {
                spandrel::inject(&mut sent);
                let (trace_id, span_id) = ids(&context);
                assert!(sent[0].1.starts_with(&format!("00-{trace_id}-{span_id}-")), "{sent:?}");
            });
        });
    });
}

#[test]
fn facade_library_facade_library() {
    let both = Both::new();
    both.within(|| {
        spandrel::with_span("a", |_| {
            assert_eq!(facade_ids(), Some(ids(&Context::current())));
            both.library.in_span("b", |_| {
                spandrel::with_span("c", |_| both.library.in_span("d", |_| ()));
            });
            assert_eq!(facade_ids(), Some(ids(&Context::current())));
        });
    });
    assert!(!Context::current().has_active_span());
    both.check_chain(&["a", "b", "c", "d"]);
}

#[test]
fn a_library_may_begin_the_trace() {
    let both = Both::new();
    both.within(|| both.library.in_span("a", |_| spandrel::with_span("b", |_| ())));
    both.check_chain(&["a", "b"]);
    // The random flag is the facade's, and the SDK sets none.
    assert_eq!(both.kept.span("a").flags & 0xff, 1);
}

#[test]
fn flags_and_trace_state_of_the_facade_reach_the_library() {
    let both = Both::new();
    let headers = [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"),
        ("tracestate", "a=1,x@much-too-long-a-system=2"),
    ];
    let headers: Vec<(String, String)> = headers.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
    both.within(|| {
        let caller = spandrel::extract(&headers);
        spandrel::span("server").parent(&caller).run(|_| {
            both.library.in_span("library", |_| ());
            spandrel::with_span("facade", |_| ());
        });
    });
    both.facade.flush(LONG).unwrap();
    let [server, library, facade] = ["server", "library", "facade"].map(|name| both.kept.span(name));
    for span in [&server, &library, &facade] {
        assert_eq!(span.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((span.flags & 0xff, span.trace_state.as_str()), (3, "a=1"), "{}", span.name);
    }
    assert_eq!(server.parent_span_id, Some(SpanId::from_hex(b"00f067aa0ba902b7").unwrap()));
    assert!(server.has_remote_parent && !library.has_remote_parent && !facade.has_remote_parent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_and_threads_keep_the_trace() {
    let both = Both::new();
    let (library, facade) = (both.library.clone(), both.facade);
    let work = async move {
        hop().await;
        let span = library.start_with_context("b", &Context::current());
        let in_library = async {
            hop().await;
            spandrel::with_span_async("c", async {
                hop().await;
                library.in_span("d", |_| ());
            })
            .await;
        };
        in_library.with_context(Context::current_with_span(span)).await;
    };
    let span = facade.context().within(|| spandrel::start_span("a"));
    tokio::spawn(work.in_span(span).in_context(facade.context())).await.unwrap();
    both.check_chain(&["a", "b", "c", "d"]);
}

/// Gives the task away, to be polled again by whichever thread is idle.
async fn hop() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn many_tasks_at_once_do_not_mix() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let both = Both::new();
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let (library, facade) = (both.library.clone(), both.facade);
            let work = async move {
                hop().await;
                assert_eq!(facade_ids(), Some(ids(&Context::current())));
                library.in_span(format!("child {n}"), |_| ());
            };
            let span = facade.context().within(|| spandrel::start_span(&format!("task {n}")));
            runtime.spawn(work.in_span(span).in_context(facade.context()))
        })
        .collect();
    tasks.into_iter().for_each(|task| runtime.block_on(task).unwrap());
    both.facade.flush(LONG).unwrap();
    assert_eq!(both.kept.spans().len(), 100);
    for n in 0..50 {
        let (task, child) = (both.kept.span(&format!("task {n}")), both.kept.span(&format!("child {n}")));
        assert_eq!((child.trace_id, child.parent_span_id), (task.trace_id, Some(task.span_id)), "task {n}");
    }
}

#[test]
fn under_a_span_that_is_not_sampled_a_library_records_nothing() {
    let both = Both::with(spandrel::Sampler::always_off(), |builder| builder);
    both.within(|| {
        spandrel::with_span("off", |_| {
            assert_eq!(facade_ids(), Some(ids(&Context::current())));
            both.library.in_span("off, too", |context| assert!(!context.span().is_recording()));
        });
        both.library.in_span("a", |_| ());
    });
    both.check_chain(&["a"]);
}

#[test]
fn traces_that_libraries_begin_have_a_sampler_of_their_own() {
    let off = Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
    let both = Both::with(parent_based(), |builder| builder.with_sampler(off));
    both.within(|| {
        both.library.in_span("off", |_| spandrel::with_span("off, as its parent", |_| ()));
        spandrel::with_span("a", |_| both.library.in_span("b", |_| ()));
    });
    both.check_chain(&["a", "b"]);
}

#[test]
fn libraries_write_on_the_span_of_the_facade() {
    let both = Both::new();
    both.within(|| {
        spandrel::with_span("a", |span| {
            span.set_attribute("key", "facade");
            let context = Context::current();
            let of_library = context.span();
            assert!(of_library.is_recording());
            of_library.set_attribute(KeyValue::new("key", "library"));
            of_library.add_event("event", vec![KeyValue::new("n", 1)]);
            of_library.set_status(Status::error("z"));
            span.set_status(spandrel::Status::Error("a"));
            of_library.update_name("renamed");
            of_library.add_link(of_library.span_context().clone(), Vec::new());
        });
    });
    both.facade.flush(LONG).unwrap();
    let span = both.kept.span("renamed");
    assert_eq!(span.attribute("key"), Some(&OwnedValue::Str("library".to_owned())));
    assert_eq!((span.events.len(), span.links.len()), (1, 1));
    assert_eq!(span.status, StatusData::Error("a".to_owned()), "the last error counts");
}

#[test]
fn a_context_that_a_library_keeps_does_not_keep_the_span_open() {
    let both = Both::new();
    let kept = both.within(|| spandrel::with_span("a", |_| Context::current()));
    assert!(!kept.span().is_recording());
    kept.span().set_attribute(KeyValue::new("late", true));
    kept.span().end();
    both.check_chain(&["a"]);
    assert_eq!(both.kept.span("a").attributes.len(), 0);
}

#[test]
fn a_library_may_end_the_span_of_the_facade() {
    let both = Both::new();
    both.within(|| {
        spandrel::with_span("a", |span| {
            Context::current().span().end();
            span.set_attribute("late", true);
        });
    });
    both.check_chain(&["a"]);
}

#[test]
fn nothing_is_traced_where_opentelemetry_traces_nothing() {
    let both = Both::new();
    both.within(|| {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        spandrel::with_span("of an exporter", |span| span.set_attribute("n", 1));
    });
    both.within(|| spandrel::with_span("a", |_| ()));
    both.check_chain(&["a"]);
}

#[test]
fn baggage_of_opentelemetry_stays_within_spans_of_the_facade() {
    #[derive(Debug, PartialEq)]
    struct Entry(u8);
    let both = Both::new();
    let _attached = Context::current_with_value(Entry(1)).attach();
    both.within(|| spandrel::with_span("a", |_| assert_eq!(Context::current().get(), Some(&Entry(1)))));
    both.check_chain(&["a"]);
}

#[test]
fn kinds_and_scopes_of_both_arrive() {
    let both = Both::new();
    both.within(|| {
        spandrel::span("facade").kind(spandrel::SpanKind::Server).run(|_| {
            let builder = both.library.span_builder("library").with_kind(SpanKind::Client);
            both.library.in_span_with_builder(builder, |_| ());
        });
    });
    both.facade.flush(LONG).unwrap();
    let [facade, library] = ["facade", "library"].map(|name| both.kept.span(name));
    assert_eq!((facade.kind, facade.scope_name.as_str()), (spandrel::SpanKind::Server, "spandrel"));
    assert_eq!((library.kind, library.scope_name.as_str()), (spandrel::SpanKind::Client, "library"));
}

#[test]
fn a_context_that_was_captured_is_that_of_opentelemetry_too() {
    let both = Both::new();
    both.within(|| {
        spandrel::with_span("a", |_| {
            let context = spandrel::Context::current();
            let library = both.library.clone();
            let work = move || library.in_span("b", |_| spandrel::with_span("c", |_| ()));
            thread::spawn(move || context.within(work)).join().unwrap();
        });
    });
    both.check_chain(&["a", "b", "c"]);
}

#[test]
fn a_context_within_a_span_counts_and_not_the_span() {
    let both = Both::new();
    both.within(|| {
        let other = spandrel::with_span("a", |_| spandrel::Context::current());
        spandrel::with_span("around", |_| {
            other.within(|| spandrel::with_span("b", |_| ()));
            spandrel::Context::root().within(|| spandrel::with_span("root", |_| ()));
            spandrel::with_span("inside", |_| ());
        });
    });
    both.facade.flush(LONG).unwrap();
    let parent = |name: &str| both.kept.span(name).parent_span_id;
    let id = |name: &str| Some(both.kept.span(name).span_id);
    assert_eq!((parent("b"), parent("root"), parent("inside")), (id("a"), None, id("around")));
}

#[test]
fn libraries_begin_traces_where_the_facade_has_no_span() {
    let kept = KeepingExporter::default();
    let provider = PipelineBuilder::new().with_exporter("kept", kept.clone()).build();
    let library = provider.tracer_provider().tracer("library");
    let none = SpanContext::default();
    library.in_span("a", |_| {
        provider.enter_unsampled(&none);
        assert_eq!(provider.current_context(), None);
        library.in_span("b", |_| assert!(provider.current_context().is_some()));
        provider.exit_unsampled(&none);
        library.in_span("c", |_| ());
    });
    provider.force_flush(LONG).unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| kept.span(name));
    assert_eq!((a.parent_span_id, b.parent_span_id, c.parent_span_id), (None, None, Some(a.span_id)));
    assert_ne!(b.trace_id, a.trace_id);
}
