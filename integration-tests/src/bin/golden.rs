//! Records spans with all that a span can have, for a provider that the configuration names, and
//! prints the ids that it could not choose: a name, the trace id and the span id in each line.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spandrel::{
    self as tracing, Attribute, InstrumentationScope, Parent, Span, SpanContext, SpanKind, Status, TraceFlags,
    TraceState, attrs, span,
};
use spandrel_provider_opentelemetry::OpenTelemetryFactory;

/// Only against hanging: other programs use this machine as well.
const DEADLINE: Duration = Duration::from_secs(60);
/// More than the limits of the test let a span have.
const MANY: u64 = 40;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // By code, because the feature of the facade would be one of all tests.
    let guard = tracing::builder().read_configuration().register(OpenTelemetryFactory::new()).install()?;
    let server = server();
    let parent = server.context().expect("it is recorded");
    for (name, span, end) in [
        ("client", client(&parent), 250_000_000),
        ("producer", producer(&parent), 300_000_500),
        ("consumer", consumer(&parent), 450_000_000),
        ("bare", bare(), 500_000_000),
        ("crowded", crowded(&parent), 650_000_000),
        ("server", server, 700_000_123),
    ] {
        let context = span.context().expect("it is recorded");
        println!("{name} {} {}", context.trace_id(), context.span_id());
        span.end_at(at(end));
    }
    guard.shutdown(DEADLINE)?;
    Ok(())
}

/// Below a caller in another process, with every type of attribute, events, and links.
fn server() -> Span {
    let caller = HashMap::from([
        ("traceparent".to_owned(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03".to_owned()),
        ("tracestate".to_owned(), "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7".to_owned()),
    ]);
    let mut span = span("GET /ü {id}")
        .kind(SpanKind::Server)
        .parent(&tracing::extract(&caller))
        .start_time(at(123_456_789))
        .attribute("bool.true", true)
        .attribute("bool.false", false)
        .attribute("int.greatest", i64::MAX)
        .attribute("int.least", i64::MIN)
        .attribute("int.zero", 0)
        .attribute("int.beyond-double", 9_007_199_254_740_993_i64)
        .attribute("double.tenth", 0.1)
        .attribute("double.whole", 3.0)
        .attribute("double.minus-zero", -0.0)
        .attribute("double.tiny", 5e-324)
        .attribute("double.greatest", f64::MAX)
        .attribute("double.beyond-int", u64::MAX)
        .attribute("double.nan", f64::NAN)
        .attribute("double.infinite", f64::INFINITY)
        .attribute("double.minus-infinite", f64::NEG_INFINITY)
        .attribute("string.text", "three")
        .attribute("string.digits", "3")
        .attribute("string.empty", "")
        .attribute("string.odd", "a\"b\\c\n\t\u{1}\u{7f}é日\u{1F600}\u{2028}</x>|")
        .attribute("bools", vec![true, false])
        .attribute("ints", vec![1, -2, i64::MAX])
        .attribute("doubles", vec![0.5, 3.0, f64::NAN])
        .attribute("strings", vec!["x", "", "y\"z"])
        .attribute("bools.empty", Vec::<bool>::new())
        .attribute("ints.empty", Vec::<i64>::new())
        .attribute("doubles.empty", Vec::<f64>::new())
        .attribute("strings.empty", Vec::<String>::new())
        .link(&other(), &attrs! { "why" => "batch", "n" => 7, "list" => [1_i64, 2] })
        .link(&plain(), &[])
        .start();
    span.set_attribute("twice", 1);
    span.set_attribute("twice", 2);
    let paid = attrs! { "amount" => 9.5, "n" => 3, "ok" => true, "text" => "x|y", "list" => ["p", "q"] };
    span.add_event_at("paid", at(123_500_001), &paid);
    span.add_event_at("bare \"q\"", at(123_600_999), &[]);
    span.add_event_at("named", at(123_700_000), &attrs! { "event" => "mine" });
    span.set_status(Status::Ok);
    span
}

/// It failed, belongs to a library, and knows its peer by name.
fn client(parent: &SpanContext) -> Span {
    let mut span = span("call")
        .kind(SpanKind::Client)
        .parent(parent)
        .start_time(at(200_000_001))
        .instrumentation_scope(InstrumentationScope { name: "my-lib", version: "1.2.3" })
        .attribute("server.address", "10.0.0.9")
        .attribute("server.port", 8443)
        .attribute("peer.service", "stock")
        .start();
    span.set_status(Status::Error("no stock: \"5\" left"));
    span
}

/// It failed without a text, and ends in the microsecond in which it began.
fn producer(parent: &SpanContext) -> Span {
    let mut span = span("send")
        .kind(SpanKind::Producer)
        .parent(parent)
        .start_time(at(300_000_000))
        .attribute("server.address", "10.0.0.9")
        .attribute("server.port", 8443)
        .start();
    span.set_status(Status::Error(""));
    span
}

/// Beyond the limits of a span.
fn consumer(parent: &SpanContext) -> Span {
    let mut span = span("over").kind(SpanKind::Consumer).parent(parent).start_time(at(400_000_000)).start();
    for i in 0..MANY {
        span.set_attribute(&format!("key {i}"), i);
        span.add_event_at(&format!("event {i}"), at(400_000_000 + i * 1000), &[]);
        span.add_link(&plain(), &[]);
    }
    span
}

/// A root, which has little but what the resource has, too.
fn bare() -> Span {
    let span = span("bare").parent(Parent::Root).start_time(at(500_000_000));
    span.attribute("region", "own").attribute("error", false).start()
}

/// An event and a link beyond the limits of theirs.
fn crowded(parent: &SpanContext) -> Span {
    let mut span = span("crowded").parent(parent).start_time(at(600_000_000)).start();
    let keys: Vec<String> = (0..MANY).map(|i| format!("key {i}")).collect();
    let attributes: Vec<Attribute<'_>> = keys.iter().map(|key| Attribute::new(key, &1)).collect();
    span.add_event_at("wide", at(600_100_000), &attributes);
    span.add_link(&other(), &attributes);
    span
}

/// A span of another trace, as a message has it.
fn other() -> SpanContext {
    let state = TraceState::parse("k=v").expect("a trace state");
    let [trace, span] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
    let (trace, span) = (trace.parse().expect("a trace id"), span.parse().expect("a span id"));
    SpanContext::new(trace, span, TraceFlags::SAMPLED).with_remote(true).with_trace_state(state)
}

/// One of this process, which is not recorded.
fn plain() -> SpanContext {
    let [trace, span] = ["0af7651916cd43dd8448eb211c80319d", "b7ad6b7169203332"];
    SpanContext::new(trace.parse().expect("a trace id"), span.parse().expect("a span id"), TraceFlags::default())
}

fn at(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(1_763_757_000_000_000_000 + nanos)
}
