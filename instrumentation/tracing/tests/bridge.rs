//! Spans and events of `tracing` as the facade records them.

use std::fmt;
use std::sync::Barrier;
use std::thread;

use spandrel::testing::{Trace, capture};
use spandrel::{StatusData, Value, assert_trace, with_span};
use spandrel_tracing::{SpandrelLayer, layer};
use tracing::field::{Empty, debug, display};
use tracing::{Level, debug_span, error, info, info_span, span, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;

/// Records what `f` does with a subscriber that has only this layer.
fn with_layer(layer: SpandrelLayer, f: impl FnOnce()) -> Trace {
    let subscriber = tracing_subscriber::registry().with(layer);
    capture(|| tracing::subscriber::with_default(subscriber, f))
}

fn record(f: impl FnOnce()) -> Trace {
    with_layer(layer(), f)
}

#[test]
fn both_apis_interleave_in_one_tree() {
    let trace = record(|| {
        with_span("handle", |_| {
            info_span!("query", db.system.name = "sqlite").in_scope(|| {
                with_span("parse", |span| span.set_attribute("n", 1));
                spandrel::set_attribute("rows", 2);
                info_span!("fetch").in_scope(|| with_span("decode", |_| ()));
            });
            with_span("render", |_| info_span!("template").in_scope(|| ()));
        });
    });
    assert_trace!(trace, "handle" {
        "query" ("db.system.name" = "sqlite", "rows" = 2) { "parse" ("n" = 1) {} "fetch" { "decode" {} } }
        "render" { "template" {} }
    });
}

#[test]
fn fields_keep_their_types() {
    let trace = record(|| {
        let span = info_span!(
            "typed",
            int = -3_i64,
            unsigned = 7_u64,
            big = u64::MAX,
            float = 1.5,
            yes = true,
            text = "plain",
            owned = String::from("text"),
            debugged = ?Some(1),
            displayed = %"shown",
            late = Empty,
            late_debug = Empty,
        );
        span.record("late", 4);
        span.record("late", 5);
        span.record("late_debug", debug([1, 2]));
    });
    let span = trace.span("typed");
    let expected: [(&str, Value<'_>); 11] = [
        ("int", Value::I64(-3)),
        ("unsigned", Value::I64(7)),
        ("big", Value::F64(u64::MAX as f64)),
        ("float", Value::F64(1.5)),
        ("yes", Value::Bool(true)),
        ("text", Value::Str("plain")),
        ("owned", Value::Str("text")),
        ("debugged", Value::Str("Some(1)")),
        ("displayed", Value::Str("shown")),
        ("late", Value::I64(5)),
        ("late_debug", Value::Str("[1, 2]")),
    ];
    for (key, value) in expected {
        assert_eq!(span.attribute(key), Some(&value.to_owned()), "{key}");
    }
    assert_eq!(span.attributes.len(), expected.len(), "nothing else is recorded");
}

#[derive(Debug)]
struct Failed(Option<Box<Failed>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "cannot charge" } else { "no route" })
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_deref().map(|error| error as _)
    }
}

#[test]
fn errors_are_told_with_their_sources() {
    let error = Failed(Some(Box::new(Failed(None))));
    let error = &error as &(dyn std::error::Error + 'static);
    let trace = record(|| {
        info_span!("span", cause = error).in_scope(|| {
            warn!(error, "retrying");
            error!(error);
        });
    });
    let span = trace.span("span");
    assert_eq!(span.attribute("cause"), Some(&Value::Str("cannot charge").to_owned()));
    assert_eq!(span.attribute("cause.chain"), Some(&spandrel::ToValue::to_value(&["no route"]).to_owned()));
    let names: Vec<_> = span.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["retrying", "exception"]);
    for event in &span.events {
        let message = event.attributes.iter().find(|attribute| attribute.key == "exception.message").unwrap();
        assert_eq!(message.value, Value::Str("cannot charge").to_owned());
    }
    assert_eq!(span.status, StatusData::Error("cannot charge".into()));
}

#[test]
fn special_fields_are_read_as_by_tracing_opentelemetry() {
    let trace = record(|| {
        info_span!("request", otel.name = "GET /cart", otel.kind = "SERVER", n = 1).in_scope(|| ());
        info_span!("call", otel.kind = %"client", otel.status_code = "error").in_scope(|| ());
        info_span!("late", otel.name = Empty, otel.status_code = Empty, otel.status_description = Empty)
            .record("otel.name", "named late")
            .record("otel.status_description", display("declined"))
            .record("otel.status_code", "ERROR");
        info_span!("fine", otel.status_description = "unused", otel.status_code = "OK");
        info_span!("odd", otel.kind = "sideways", otel.other = "kept");
    });
    assert_trace!(trace,
        "GET /cart" (kind: server, "n" = 1) {}
        "call" (kind: client, status: error) {}
        "named late" (status: error) {}
        "fine" (status: ok) {}
        "odd" (kind: internal, "otel.other" = "kept") {}
    );
    assert_eq!(trace.span("named late").status, StatusData::Error("declined".into()));
    for span in trace.spans().iter().filter(|span| span.name != "odd") {
        assert!(span.attributes.iter().all(|attribute| !attribute.key.starts_with("otel.")), "{span:?}");
    }
}

#[test]
fn parents_are_contextual_explicit_or_none() {
    let trace = record(|| {
        let a = info_span!("a");
        with_span("b", |_| {
            info_span!(parent: &a, "below a").in_scope(|| with_span("further below a", |_| ()));
            info_span!(parent: None, "root").in_scope(|| ());
            info_span!("below b").in_scope(|| ());
        });
    });
    assert_trace!(trace, "a" { "below a" { "further below a" {} } } "b" { "below b" {} } "root" {});
}

#[test]
fn a_context_that_was_extracted_is_the_parent() {
    let trace = record(|| {
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = spandrel::extract(&vec![("traceparent", traceparent)]);
        context.within(|| info_span!("handle").in_scope(|| ()));
    });
    let span = trace.span("handle");
    assert_eq!(span.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(span.parent_span_id.unwrap().to_string(), "00f067aa0ba902b7");
}

#[test]
fn spans_that_are_filtered_away_leave_no_hole() {
    let subscriber =
        tracing_subscriber::registry().with(layer().with_filter(tracing_subscriber::filter::LevelFilter::INFO));
    let trace = capture(|| {
        tracing::subscriber::with_default(subscriber, || {
            let outer = info_span!("outer").entered();
            let hidden = debug_span!("hidden");
            hidden.in_scope(|| info_span!("inner").in_scope(|| info!("seen")));
            let frame = span!(target: "h2::codec", Level::INFO, "frame");
            info_span!(parent: &frame, "explicit").in_scope(|| ());
            drop(outer);
        });
    });
    assert_trace!(trace, "outer" { "inner" {} "explicit" {} });
    assert_eq!(trace.span("inner").events.len(), 1);
}

#[test]
fn follows_from_is_a_link() {
    let trace = record(|| {
        let (first, second) = (info_span!("first"), info_span!("second"));
        second.follows_from(&first);
    });
    let (first, second) = (trace.span("first"), trace.span("second"));
    assert_eq!(second.links.len(), 1);
    assert_eq!(second.links[0].span_id, first.span_id);
}

#[test]
fn events_belong_to_the_innermost_span() {
    let trace = record(|| {
        info!("nowhere");
        let other = info_span!("other");
        info_span!("outer").in_scope(|| {
            info!(items = 3, total = 1.5, "paid {}", "cash");
            with_span("inner", |_| info!("inside"));
            info!(parent: &other, "elsewhere");
            info!(parent: None, "nowhere");
            warn!(code = 7);
            info!(error = "broken pipe", kind = "io");
        });
    });
    let events = |name: &str| trace.span(name).events.iter().map(|event| event.name.clone()).collect::<Vec<_>>();
    let outer = events("outer");
    assert_eq!((outer[0].as_str(), outer[2].as_str(), outer.len()), ("paid cash", "exception", 3));
    assert!(outer[1].starts_with("event "), "{outer:?}");
    assert_eq!((events("inner"), events("other")), (vec!["inside".to_owned()], vec!["elsewhere".to_owned()]));
    let keys: Vec<_> = trace.span("outer").events[0].attributes.iter().map(|a| a.key.as_str()).collect();
    assert_eq!(keys, ["level", "items", "total"]);
    let keys: Vec<_> = trace.span("outer").events[2].attributes.iter().map(|a| a.key.as_str()).collect();
    assert_eq!(keys, ["level", "exception.message", "kind"]);
}

#[test]
fn events_of_level_error_make_the_status() {
    let run = || {
        info_span!("plain").in_scope(|| error!("it broke"));
        info_span!("told").in_scope(|| error!(error = "declined", "it broke"));
        info_span!("fine").in_scope(|| warn!(error = "ignored", "it broke"));
    };
    let trace = record(run);
    assert_trace!(trace, "plain" (status: error) {} "told" (status: error) {} "fine" (status: unset) {});
    let told = trace.span("told");
    assert_eq!(told.status, StatusData::Error("declined".into()));
    assert_eq!((told.events[0].name.as_str(), told.events[0].attributes[1].key.as_str()), ("it broke", "error"));
    let trace = with_layer(layer().with_error_events(false), run);
    assert_trace!(trace, "plain" (status: unset) {} "told" (status: unset) {} "fine" (status: unset) {});
    let trace = with_layer(layer().with_events(false), run);
    assert!(trace.spans().iter().all(|span| span.events.is_empty()));
}

#[test]
fn where_it_comes_from_is_told_if_asked() {
    let told = layer().with_level(true).with_target(true).with_location(true).with_threads(true);
    let trace = with_layer(told, || span!(Level::WARN, "span").in_scope(|| info!("event")));
    let span = trace.span("span");
    let keys: Vec<_> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    let code = ["code.file.path", "code.module.name", "code.line.number"];
    assert_eq!(keys[..5], [&["level", "target"][..], &code].concat());
    assert!(keys.contains(&"thread.id") && keys.contains(&"thread.name"));
    assert_eq!(span.attribute("level"), Some(&Value::Str("WARN").to_owned()));
    let keys: Vec<_> = span.events[0].attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(keys, [&["level", "target"][..], &code].concat());
}

#[test]
fn transports_are_not_heard() {
    let run = || {
        with_span("export", |_| {
            span!(target: "h2::codec", Level::INFO, "frame").in_scope(|| info!("seen"));
            info!(target: "hyper::client", "connected");
            warn!(target: "hyper::client", "refused");
            info!(target: "log", { log.target = "reqwest::connect" }, "by way of log");
            info!(target: "log", { log.target = "shop" }, "by way of log");
        });
    };
    let trace = record(run);
    assert_trace!(trace, "export" {});
    let names: Vec<_> = trace.span("export").events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["seen", "refused", "by way of log"]);
    let trace = with_layer(layer().with_transport(true), run);
    assert_trace!(trace, "export" { "frame" {} });
}

#[test]
fn a_span_is_entered_again_and_again() {
    let trace = record(|| {
        let span = info_span!("span");
        for _ in 0..3 {
            span.in_scope(|| span.in_scope(|| with_span("child", |_| ())));
        }
        let (a, b) = (info_span!("a"), info_span!("b"));
        let in_a = a.enter();
        let in_b = b.enter();
        drop(in_a);
        with_span("in b", |_| ());
        drop(in_b);
        assert_eq!(spandrel::current(), None);
    });
    assert_trace!(trace, "span" { "child" {} "child" {} "child" {} } "a" {} "b" { "in b" {} });
}

#[test]
fn threads_share_a_span() {
    let subscriber = tracing_subscriber::registry().with(layer());
    let dispatch = tracing::Dispatch::new(subscriber);
    let trace = capture(|| {
        tracing::dispatcher::with_default(&dispatch, || {
            let span = info_span!("shared", by = Empty);
            let (both_in, said) = (Barrier::new(2), Barrier::new(2));
            thread::scope(|scope| {
                scope.spawn(|| {
                    tracing::dispatcher::with_default(&dispatch, || {
                        // Brings what is ambient along, the tracer of this test among it.
                        span.in_scope(|| {
                            with_span("of the owner", |_| ());
                            both_in.wait();
                            said.wait();
                            info!("by the owner");
                        });
                    });
                });
                scope.spawn(|| {
                    tracing::dispatcher::with_default(&dispatch, || {
                        both_in.wait();
                        span.in_scope(|| {
                            span.record("by", "the guest");
                            info!("by the guest");
                            error!(error = "late", "so is this");
                            with_span("of the guest", |_| ());
                        });
                        said.wait();
                    });
                });
            });
        });
    });
    assert_trace!(trace, "shared" (status: error, "by" = "the guest") { "of the owner" {} "of the guest" {} });
    let span = trace.span("shared");
    let mut events: Vec<_> = span.events.iter().map(|event| (event.time, event.name.as_str())).collect();
    events.sort();
    assert_eq!(events.iter().map(|event| event.1).collect::<Vec<_>>(), ["by the guest", "so is this", "by the owner"]);
    assert!(span.events.iter().all(|event| span.start <= event.time && event.time <= span.end));
}

#[test]
fn a_span_is_closed_on_another_thread() {
    let trace = record(|| {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let span = info_span!("moved");
        span.in_scope(|| ());
        let close = move || tracing::dispatcher::with_default(&dispatch, || drop(span.entered()));
        thread::spawn(close).join().unwrap();
    });
    assert_trace!(trace, "moved" {});
}

#[test]
fn a_span_ends_when_it_was_used_last() {
    let trace = record(|| {
        let parent = info_span!("parent");
        let child = parent.in_scope(|| info_span!("child"));
        drop(parent);
        child.in_scope(|| ());
    });
    assert_trace!(trace, "parent" { "child" {} });
    assert!(trace.span("parent").end < trace.span("child").end, "it was kept open by its child alone");
}

/// A value that traces while it is formatted.
struct Chatty;

impl fmt::Debug for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info_span!("formatting").in_scope(|| info!("formatted"));
        f.write_str("chatty")
    }
}

#[test]
fn values_may_trace_while_they_are_formatted() {
    // Nested calls reach a subscriber only if it is the default of the thread in the
    // plain way; what matters is that nothing hangs or panics.
    let trace = record(|| {
        let span = info_span!("span", value = ?Chatty, late = Empty);
        span.in_scope(|| info!(value = ?Chatty, "event"));
        span.record("late", debug(Chatty));
    });
    assert_eq!(trace.span("span").attribute("late"), Some(&Value::Str("chatty").to_owned()));
}

#[test]
fn off_nothing_is_kept() {
    let subscriber = tracing_subscriber::registry().with(layer());
    tracing::subscriber::with_default(subscriber, || {
        let span = info_span!("span", n = 1);
        span.in_scope(|| info!("event"));
        assert_eq!(spandrel::current(), None);
        span.record("n", 2);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn spawned_tasks_stay_in_their_spans() {
    use tracing::Instrument;
    use tracing::instrument::WithSubscriber;

    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer()));
    let trace = spandrel::testing::capture_async(async {
        let work = async {
            let root = info_span!("root");
            let tasks: Vec<_> = root.in_scope(|| {
                (0..8)
                    .map(|task| {
                        let work = async move {
                            for step in 0..20 {
                                let work = async {
                                    tokio::task::yield_now().await;
                                    spandrel::with_span_async("facade", tokio::task::yield_now()).await;
                                    info!("done");
                                };
                                work.instrument(info_span!("step", n = step)).await;
                            }
                        };
                        tokio::spawn(work.instrument(info_span!("task", n = task)).with_current_subscriber())
                    })
                    .collect()
            });
            for task in tasks {
                task.await.unwrap();
            }
        };
        work.with_subscriber(dispatch).await;
    })
    .await;
    assert_eq!(trace.spans().len(), 1 + 8 * (1 + 20 * 2));
    let root = trace.span("root");
    assert_eq!(trace.roots().len(), 1);
    assert_eq!(trace.children(root).len(), 8);
    for task in trace.children(root) {
        let steps = trace.children(task);
        assert_eq!(steps.len(), 20);
        for step in steps {
            assert_eq!(step.events.len(), 1);
            assert_eq!(trace.children(step).iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["facade"]);
        }
    }
}
