//! Plugins that do not return: the host's deadline holds all the same.

use std::time::{Duration, Instant};

use spandrel::{ErrorKind, Tracer};
use spandrel_integration_tests::process::until;
use spandrel_plugin_api::{Attribute, Event, Link, Status, Timestamp};

use crate::misbehaving::{Misbehaving, context, start};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(30);

/// Much more than `SHORT`, as others use this machine, and less than never.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_flush_that_never_returns_keeps_nobody_waiting() {
    for plugin in Misbehaving::both("hanging_flush") {
        let tracer = plugin.tracer("flush=hangs");
        record(tracer);
        times_out(&plugin.word, || tracer.flush(SHORT));
        until("it is called", || plugin.count("flush") == 1);
        // The service goes on.
        record(tracer);
        times_out(&plugin.word, || tracer.flush(Duration::ZERO));
        assert!(tracer.stats().is_balanced(), "{}", tracer.stats());
    }
}

#[test]
fn a_shutdown_that_never_returns_keeps_nobody_waiting() {
    for plugin in Misbehaving::both("hanging_shutdown") {
        let tracer = plugin.tracer("shutdown=hangs");
        record(tracer);
        tracer.flush(LONG).unwrap();
        times_out(&plugin.word, || tracer.shutdown(SHORT));
        times_out(&plugin.word, || tracer.shutdown(SHORT));
        record(tracer);
        assert!(tracer.stats().is_balanced(), "{}", tracer.stats());
        assert_eq!(plugin.count("destroy"), 0, "it is still in `shutdown`");
    }
}

#[test]
fn an_export_that_never_returns_keeps_nobody_waiting() {
    let plugin = Misbehaving::exporter("hanging_export");
    let tracer = plugin.tracer("export=hangs");
    record(tracer);
    times_out("export", || tracer.flush(SHORT));
    until("it is exported", || plugin.count("export") == 1);
    times_out("export", || tracer.flush(SHORT));
    times_out("export", || tracer.shutdown(SHORT));
    let stats = tracer.stats();
    assert_eq!((stats.recorded, stats.pending(), stats.is_balanced()), (1, 1, true), "{stats}");
}

#[test]
fn a_provider_that_hangs_can_be_dropped() {
    let [exporter, live] = Misbehaving::both("dropped");
    let provider = live.create_live("flush=hangs shutdown=hangs");
    times_out("flush", || provider.force_flush(SHORT));
    times_out("shutdown", || provider.shutdown(SHORT));
    drop(provider);
    assert_eq!(live.count("destroy"), 0, "it is still in `flush`");
    let (_, companion) = exporter.create_exporter("flush=hangs");
    drop(companion);
    assert_eq!(exporter.count("destroy"), 1, "nobody has flushed");
}

/// A service that flushes now and then must not gather threads.
#[test]
fn calls_that_never_return_do_not_add_up() {
    let plugin = Misbehaving::live("gathering");
    let provider = plugin.create_live("flush=hangs");
    for _ in 0..20 {
        times_out("flush", || provider.force_flush(Duration::from_millis(1)));
    }
    until("the first ones are called", || plugin.count("flush") == 3);
    let text = provider.force_flush(LONG).unwrap_err().to_string();
    let expected = "the plugin has not returned from earlier calls (provider: gathering)";
    assert_eq!((text.as_str(), plugin.count("flush")), (expected, 3));
    // That is no reason not to try to shut it down.
    provider.shutdown(LONG).unwrap();
    assert_eq!(plugin.count("shutdown"), 1);
}

#[test]
fn a_destroyed_instance_is_gone_when_the_drop_returns() {
    let plugin = Misbehaving::live("destroyed");
    for _ in 0..200 {
        let before = plugin.count("destroy");
        let provider = plugin.create_live("");
        provider.force_flush(LONG).unwrap();
        drop(provider);
        assert_eq!(plugin.count("destroy"), before + 1);
    }
}

#[test]
fn after_shutdown_every_call_still_works() {
    let [exporter, live] = Misbehaving::both("late");
    let tracer = live.tracer("");
    let (provider, context) = (live.create_live(""), context());
    let mut running = provider.start_span(&start("running", &context));
    provider.shutdown(LONG).unwrap();
    provider.shutdown(LONG).unwrap();
    let time = Timestamp::from_unix_nanos(1);
    provider.set_span_status(&mut running, Status::Ok);
    provider.set_span_name(&mut running, "late");
    provider.add_span_attributes(&mut running, &[Attribute::new("late", &true)]);
    provider.add_span_event(&mut running, &Event { name: "late", time, attributes: &[] });
    provider.add_span_link(&mut running, &Link { context: &context, attributes: &[] });
    provider.end_span(running, time);
    provider.force_flush(LONG).unwrap();
    for call in ["set_span_status", "add_span_event", "add_span_link", "end_span", "flush"] {
        assert_eq!(live.count(call), 1, "{call}: a live provider hears of it, as spans may still end");
    }
    tracer.shutdown(LONG).unwrap();
    record(tracer);

    let tracer = exporter.tracer("");
    record(tracer);
    tracer.shutdown(LONG).unwrap();
    let before: Vec<String> = exporter.calls();
    record(tracer);
    assert!(tracer.flush(LONG).is_ok() && tracer.shutdown(LONG).is_ok());
    let stats = tracer.stats();
    assert_eq!((stats.recorded, stats.exported(), stats.branches[0].dropped.after_shutdown), (2, 1, 1), "{stats}");
    let late: Vec<String> = exporter.calls().split_off(before.len());
    assert!(!late.iter().any(|call| call == "export" || call == "flush" || call == "shutdown"), "{late:?}");
}

#[test]
fn the_deadline_is_told_to_the_plugin() {
    let plugin = Misbehaving::live("told");
    let provider = plugin.create_live("");
    for (deadline, nanos) in [(Duration::ZERO, 0), (SHORT, 50_000_000), (Duration::MAX, u64::MAX)] {
        // The host may have given up before its call has begun: a short time is over soon here.
        let result = provider.force_flush(deadline);
        assert!(result.is_ok() || deadline < LONG, "{result:?}");
        until("it is told", || plugin.calls().last() == Some(&format!("within {nanos}")));
    }
}

fn record(tracer: Tracer) {
    tracer.context().within(|| spandrel::with_span("op", |_| ()));
}

fn times_out(what: &str, call: impl FnOnce() -> Result<(), spandrel::Error>) {
    let began = Instant::now();
    let error = call().unwrap_err();
    assert!(began.elapsed() < PATIENCE, "{what} took {:?}", began.elapsed());
    assert_eq!(error.kind(), ErrorKind::Timeout, "{what}: {error}");
}
