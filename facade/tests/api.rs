//! The span API as services use it.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use spandrel::testing::{capture, capture_async};
use spandrel::{self as tracing, Context, InSpanExt, Sampler, SpanKind, Status, assert_trace, attrs};
use spandrel_plugin_api::{OwnedValue, SpanData, StatusData};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_span_has_what_it_was_told() {
    // A second more than is asserted: the clock of spans may lag behind that of the system, which is slewed.
    let began = SystemTime::now() - Duration::from_secs(61);
    let trace = capture(|| {
        let other = tracing::start_span("other").context().unwrap();
        tracing::span("GET")
            .kind(SpanKind::Client)
            .attribute("early", "yes")
            .attributes(&attrs! { "n" => 1_u8, "early" => "again" })
            .link(&other, &attrs! { "why" => "batch" })
            .start_time(began)
            .run(|span| {
                span.set_name("GET /orders/{id}");
                span.set_attributes(&attrs! { "list" => vec!["a".to_owned(), "b".to_owned()], "ratio" => 0.5 });
                span.set_attribute_lazy("lazy", || "computed");
                span.add_event("sent", &attrs! { "bytes" => 17 });
                span.add_event_at("queued", began, &[]);
                span.set_status(Status::Ok);
            });
    });
    let span = trace.span("GET /orders/{id}");
    assert_trace!(trace,
        "GET /orders/{id}" (kind: client, status: ok, "early" = "again", "n" = 1, "ratio" = 0.5, "lazy" = "computed") {}
        "other" {}
    );
    assert_eq!(span.attribute("list"), Some(&OwnedValue::StrArray(vec!["a".into(), "b".into()])));
    assert_eq!(span.links[0].span_id, trace.span("other").span_id);
    assert_eq!(span.event("queued").unwrap().time, span.start);
    assert!(span.end.unix_nanos() - span.start.unix_nanos() >= 60_000_000_000);
}

#[test]
fn errors_become_status_and_event() {
    let trace = capture(|| {
        let parsed = tracing::try_with_span("parse", |_| "x".parse::<i32>());
        assert!(parsed.is_err());
        tracing::try_with_span("fine", |_| Ok::<_, String>(1)).unwrap();
    });
    assert_trace!(trace, "parse" (status: error) {} "fine" (status: unset) {});
    let span = trace.span("parse");
    assert_eq!(span.status, StatusData::Error("invalid digit found in string".into()));
    let details = &span.event("exception").unwrap().attributes;
    assert_eq!(details[0].value, OwnedValue::Str("invalid digit found in string".into()));
    assert_eq!(details[1].value, OwnedValue::Str("core::num::error::ParseIntError".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spawned_work_stays_in_the_trace() {
    let request = async {
        let spawned = tracing::spawn(async {
            tokio::task::yield_now().await;
            tracing::with_span("task", |_| ());
            // The span belongs to the task that started it.
            tracing::set_attribute("lost", true);
        });
        tracing::spawn_blocking(|| tracing::with_span("blocking", |_| ())).await.unwrap();
        spawned.await.unwrap();
        let result = async { Err::<(), _>("no") }.try_in_span(tracing::start_span("fails")).await;
        assert!(result.is_err());
    };
    let trace = capture_async(async { tracing::with_span_async("request", request).await }).await;
    let request = trace.span("request");
    assert_eq!(request.attribute("lost"), None);
    for name in ["task", "blocking", "fails"] {
        assert_eq!(trace.span(name).parent_span_id, Some(request.span_id), "{name}");
    }
    assert!(matches!(trace.span("fails").status, StatusData::Error(_)));
}

#[test]
fn ambient_attributes_reach_every_span_of_their_scope() {
    let trace = capture(|| {
        tracing::with_attributes(&attrs! { "session.id" => "s-1", "tier" => "gold" }, || {
            tracing::with_span("outer", |_| {
                tracing::span("inner").attribute("tier", "iron").run(|_| ());
                let context = Context::current().with_attribute("extra", 1);
                std::thread::spawn(move || context.within(|| tracing::with_span("thread", |_| ()))).join().unwrap();
            });
        });
        tracing::with_span("outside", |_| ());
    });
    assert_trace!(trace,
        "outer" ("session.id" = "s-1", "tier" = "gold") {
            "inner" ("session.id" = "s-1", "tier" = "iron") {}
            "thread" ("session.id" = "s-1", "extra" = 1) {}
        }
        "outside" {}
    );
    assert_eq!(trace.span("outside").attributes, []);
}

#[test]
fn contexts_cross_the_wire() {
    let mut headers = HashMap::new();
    let mut baggage = String::new();
    let trace = capture(|| {
        let incoming = vec![("TraceParent", TRACEPARENT), ("tracestate", "a=1"), ("baggage", "user=u%201;p=1")];
        let context = tracing::extract(&incoming);
        tracing::span("handle").kind(SpanKind::Server).parent(&context).run(|_| {
            baggage = Context::current().baggage().get("user").unwrap_or_default().to_owned();
            tracing::span("call").kind(SpanKind::Client).run(|_| tracing::inject(&mut headers));
        });
    });
    let (handle, call) = (trace.span("handle"), trace.span("call"));
    assert_eq!(handle.parent_span_id.unwrap().to_string(), "00f067aa0ba902b7");
    assert!(handle.has_remote_parent && !call.has_remote_parent);
    assert_eq!((handle.trace_state.as_str(), call.trace_state.as_str()), ("a=1", "a=1"));
    assert_eq!(headers["traceparent"], format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", call.span_id));
    assert_eq!(headers["tracestate"], "a=1");
    assert_eq!(headers["baggage"], "user=u%201;p=1");
    assert_eq!(baggage, "u 1");
}

#[test]
fn headers_of_http_are_a_carrier() {
    let mut outgoing = http::HeaderMap::new();
    let trace = capture(|| {
        let mut incoming = http::HeaderMap::new();
        incoming.append("traceparent", TRACEPARENT.parse().unwrap());
        tracing::span("one").parent(&tracing::extract(&incoming)).run(|_| tracing::inject(&mut outgoing));
        incoming.append("traceparent", TRACEPARENT.parse().unwrap());
        tracing::span("two").parent(&tracing::extract(&incoming)).run(|_| ());
    });
    assert!(trace.span("one").has_remote_parent);
    assert_eq!(trace.span("two").parent_span_id, None, "two traceparent lines are none");
    assert!(outgoing["traceparent"].to_str().unwrap().contains(&trace.span("one").span_id.to_string()));
}

#[test]
fn parents_are_chosen_at_the_start() {
    let trace = capture(|| {
        tracing::with_span("outer", |outer| {
            tracing::span("root").parent(tracing::Parent::Root).run(|_| ());
            let context = outer.context().unwrap();
            tracing::span("child").parent(context).run(|_| ());
        });
    });
    assert_trace!(trace, "outer" { "child" {} } "root" {});
    assert_ne!(trace.span("root").trace_id, trace.span("outer").trace_id);
}

fn sampled_by(sampler: Sampler, f: impl FnOnce()) -> Vec<SpanData> {
    use spandrel_provider_memory::{MemoryExporter, MemoryStore};
    let store = MemoryStore::new(std::num::NonZeroUsize::MAX);
    let exported = store.clone();
    let builder = tracing::builder().exporter("memory", move || MemoryExporter::new(exported.clone())).sampler(sampler);
    let tracer = builder.build().unwrap();
    tracer.context().within(f);
    tracer.shutdown(Duration::from_secs(30)).unwrap();
    store.take()
}

#[test]
fn a_span_that_is_not_sampled_keeps_its_ids_and_evaluates_nothing() {
    let spans = sampled_by(Sampler::always_off(), || {
        tracing::with_span("off", |span| {
            assert!(!span.is_recording() && span.context().is_some_and(|c| c.is_valid() && !c.is_sampled()));
            span.set_attribute_lazy("lazy", || -> i64 { unreachable!("not recorded") });
            let mut headers = HashMap::new();
            tracing::inject(&mut headers);
            assert!(headers["traceparent"].ends_with("-02"), "not sampled, random id: {headers:?}");
        });
    });
    assert_eq!(spans, []);
}

#[test]
fn a_custom_sampler_sees_name_context_trace_id_and_attributes() {
    let sampler = Sampler::custom(|span| {
        assert!(span.trace_id.is_valid());
        span.name == "keep" && span.parent.is_none_or(|p| p.trace_id() == span.trace_id) && span.attributes.len() == 1
    });
    let spans = sampled_by(sampler, || {
        tracing::span("keep").attribute("a", 1).run(|_| tracing::with_span("drop", |_| ()));
        tracing::with_span("keep", |_| ());
    });
    assert_eq!(spans.len(), 1);
}

#[test]
fn no_part_of_a_span_keeps_a_secret() {
    const SECRET: &str = "hunter2";
    let trace = capture(|| {
        let other = tracing::start_span("password=hunter2").context().unwrap();
        let header = vec![SECRET.to_owned()];
        let secrets = attrs! {
            "user.password" => SECRET,
            "http.request.header.authorization" => header,
            "query" => "a=1&api_key=hunter2&b=2",
            "list" => ["x", "ssn: hunter2"],
            "email=hunter2" => true,
        };
        tracing::with_attributes(&attrs! { "credit_card" => SECRET }, || {
            tracing::span("GET /?password=hunter2").attributes(&secrets).link(&other, &secrets).run(|span| {
                span.set_attributes(&secrets);
                span.add_event("password: hunter2", &secrets);
                span.add_link(&other, &secrets);
                span.set_name("PUT /?api-key=hunter2");
                span.record_error("cannot log in with password=hunter2");
            });
        });
    });
    assert_eq!(trace.spans().len(), 2);
    assert!(!format!("{trace:?}").contains(SECRET), "{trace:?}");
    assert!(format!("{trace:?}").contains(tracing::REDACTED));
}

#[test]
fn off_is_quiet_everywhere() {
    tracing::with_span("off", |span| {
        span.set_attribute("a", 1);
        assert_eq!((span.context(), span.is_recording()), (None, false));
        assert_eq!(tracing::current(), None);
    });
    let mut span = tracing::start_span("off");
    let _guard = span.enter();
    let mut headers = HashMap::new();
    tracing::inject(&mut headers);
    assert_eq!(headers.len(), 0);
}

#[test]
fn noop_passes_contexts_on() {
    let tracer = tracing::builder().provider_type("noop").build().unwrap();
    let mut headers = HashMap::new();
    tracer.context().within(|| {
        let context = tracing::extract(&vec![("traceparent", TRACEPARENT), ("baggage", "a=1")]);
        tracing::span("handle").parent(&context).run(|span| {
            assert!(!span.is_recording());
            tracing::with_span("inner", |_| tracing::inject(&mut headers));
        });
        tracing::with_span("no parent", |span| assert_eq!(span.context(), None));
    });
    assert_eq!(headers["traceparent"], TRACEPARENT);
    assert_eq!(headers["baggage"], "a=1");
}

#[test]
fn noop_makes_ids_on_request() {
    let config = "type = 'noop'\n[provider.noop]\nnew_ids = true";
    let tracer = tracing::builder().default_config(config).build().unwrap();
    let mut headers = HashMap::new();
    let span = tracer.context().within(|| {
        let context = tracing::extract(&vec![("traceparent", TRACEPARENT)]);
        tracing::span("handle").parent(&context).run(|span| {
            tracing::inject(&mut headers);
            span.context().unwrap()
        })
    });
    assert_eq!(headers["traceparent"], format!("00-{}-{}-01", &TRACEPARENT[3..35], span.span_id()));
    assert_ne!(span.span_id().to_string(), TRACEPARENT[36..52]);
}

#[test]
fn open_spans_are_listed_on_request() {
    let tracer = tracing::builder()
        .exporter("memory", || {
            spandrel_provider_memory::MemoryExporter::new(spandrel_provider_memory::MemoryStore::shared())
        })
        .debug_open_spans(true)
        .build()
        .unwrap();
    tracer.context().within(|| {
        tracing::with_span("outer", |_| {
            let inner = tracing::start_span("inner");
            let open: Vec<(String, bool)> =
                tracer.open_spans().into_iter().map(|span| (span.name, span.parent.is_some())).collect();
            assert_eq!(open, [("outer".to_owned(), false), ("inner".to_owned(), true)]);
            drop(inner);
        });
    });
    assert!(tracer.open_spans().is_empty());
}
