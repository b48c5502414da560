//! What plugins get from their host, and tell it.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spandrel::diagnostics::{self, Level};
use spandrel_integration_tests::process::until;
use spandrel_plugin_api::{Carrier, Host, Provider, ProviderFactory, Resource, Timestamp, suppression};

use crate::misbehaving::{Misbehaving, context, messages, start};

fn counter(name: &str) -> u64 {
    diagnostics::counters().get(name).copied().unwrap_or(0)
}

#[test]
fn messages_reach_the_log_of_the_service_under_the_name_of_the_plugin() {
    messages("");
    for plugin in Misbehaving::both("talking") {
        assert!(plugin.create("asks=yes").is_ok());
        let said = messages(&format!("plugin {}: ", plugin.word));
        let said: Vec<(Level, &str)> =
            said.iter().map(|(level, text)| (*level, text.split_once(": ").unwrap().1)).collect();
        let expected = [
            (Level::Warning, "level 0"),
            (Level::Warning, "level 1"),
            (Level::Warning, "level 2"),
            (Level::Info, "level 3"),
            (Level::Info, "level 4"),
            (Level::Info, "level 5"),
            (Level::Info, "bad \u{fffd}\u{fffd}( text"),
            (Level::Warning, ""),
        ];
        assert_eq!(said, expected);
    }
}

#[test]
fn counters_carry_the_name_of_the_plugin() {
    for plugin in Misbehaving::both("counting") {
        let word = &plugin.word;
        let before = counter(&format!("{word}.created"));
        assert!(plugin.create("asks=yes").is_ok() && plugin.create("asks=yes").is_ok());
        assert_eq!(counter(&format!("{word}.created")) - before, 4);
        assert_eq!(counter(&format!("{word}.bad \u{fffd} name")), 2);
        assert_eq!(counter(&format!("{word}.")), u64::MAX, "it does not wrap");
    }
}

#[test]
fn the_clock_and_the_version_are_those_of_the_host() {
    let now = || u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap();
    for plugin in Misbehaving::both("asking") {
        let before = now();
        assert!(plugin.create("asks=yes").is_ok());
        let calls = plugin.calls();
        assert_eq!(calls[0], format!("host spandrel {} 1.0", env!("CARGO_PKG_VERSION")));
        assert_eq!(calls[1], format!("named {}", plugin.word));
        let said: u64 = calls[2].strip_prefix("now ").unwrap().parse().unwrap();
        // That clock need not agree with the system's to the nanosecond.
        let margin = 1_000_000_000;
        assert!((before - margin..now() + margin).contains(&said), "{said}");
    }
}

#[test]
fn a_plugin_switches_tracing_off_for_what_it_calls() {
    struct Headers(Mutex<Vec<bool>>);
    impl Carrier for Headers {
        fn for_each_value(&self, name: &str, _: &mut dyn FnMut(&str)) {
            if name == "x-misbehaving" {
                self.0.lock().unwrap().push(suppression::is_active());
            }
        }
    }
    let plugin = Misbehaving::live("suppressing");
    let (provider, headers) = (plugin.create_live("extract=suppressed"), Headers(Mutex::default()));
    let _ = provider.extract_context(&headers);
    assert_eq!(*headers.0.lock().unwrap(), [true, false]);
    assert!(!suppression::is_active());
}

/// What is switched on more often than off belongs to others.
#[test]
fn a_plugin_cannot_switch_on_what_others_have_switched_off() {
    let plugin = Misbehaving::live("unpaired");
    let suppressed = suppression::enter();
    assert!(plugin.create("asks=yes").is_ok());
    assert!(suppression::is_active());
    drop(suppressed);
    assert!(!suppression::is_active());
    let tracer = plugin.tracer("asks=yes");
    tracer.context().within(|| spandrel::with_span("op", |span| assert!(span.is_recording())));
}

#[test]
fn a_thread_of_a_plugin_may_use_the_host_even_after_its_instance_is_gone() {
    messages("");
    let plugin = Misbehaving::live("outliving");
    let provider = plugin.create_live("thread=yes");
    until("its thread runs", || counter("outliving.before_destroy") == 1);
    assert_eq!(counter("outliving.after_destroy"), 0);
    drop(provider);
    until("its thread has seen the end", || counter("outliving.after_destroy") == 1000);
    until("and has said so", || messages("plugin outliving: after destroy").len() == 1);
}

#[test]
fn what_a_live_provider_counts_is_what_its_host_shows() {
    let plugin = Misbehaving::live("counted");
    let provider = plugin.create_live("stats=counted");
    let stats = provider.stats();
    let [branch] = &stats.branches[..] else { panic!("{stats}") };
    assert_eq!((stats.recorded, stats.panics, branch.name.as_str()), (28, 9, "counted"));
    let dropped = branch.dropped;
    assert_eq!((branch.exported, branch.pending), (1, 2));
    assert_eq!((dropped.queue_full, dropped.too_large, dropped.export_failed), (3, 4, 5));
    assert_eq!((dropped.panicked, dropped.after_shutdown, dropped.forked), (6, 7, 0));
    assert!(stats.is_balanced(), "{stats}");
    for behaviour in ["stats=2", "stats=4711", "no_stats=yes"] {
        let stats = plugin.create_live(behaviour).stats();
        assert_eq!((stats.recorded, stats.branches.len(), stats.panics), (0, 0, 0), "{behaviour}: {stats}");
    }
}

#[test]
fn spans_that_a_live_provider_does_not_take_are_counted_by_its_host() {
    let plugin = Misbehaving::live("not_taking");
    for (behaviour, reason) in [
        ("start_span=5", "after shutdown"),
        ("start_span=7", "provider panicked"),
        ("start_span=10", "export failed"),
        ("start_span=4711", "export failed"),
    ] {
        let tracer = plugin.tracer(behaviour);
        let before = plugin.count("end_span");
        tracer.context().within(|| {
            for _ in 0..5 {
                spandrel::with_span("op", |span| {
                    span.set_attribute("a", 1);
                    span.set_name("other");
                });
            }
        });
        let stats = tracer.stats();
        let reasons: Vec<_> = stats.branches[0].dropped.reasons().into_iter().filter(|(_, n)| *n > 0).collect();
        assert_eq!((stats.recorded, &reasons[..]), (5, &[(reason, 5)][..]), "{behaviour}: {stats}");
        assert_eq!(plugin.count("end_span"), before, "{behaviour}: a span that has not started does not end");
    }
}

#[test]
fn the_health_of_a_plugin_is_that_of_its_tracer() {
    for plugin in Misbehaving::both("healthy") {
        assert!(plugin.tracer("").health().is_ok());
        assert!(plugin.tracer("no_health=yes").health().is_ok());
        let error = plugin.tracer("health=invalid").health().unwrap_err();
        assert_eq!((error.kind(), error.message()), (spandrel::ErrorKind::Unavailable, "broken \u{fffd} text"));
    }
}

#[test]
fn a_plugin_is_told_whom_it_serves() {
    let plugin = Misbehaving::live("serving");
    let resource = Resource::new().with("service.name", "shop").with("n", 1);
    let Ok(Provider::Live(provider)) = plugin.load().unwrap().create(&plugin.config(""), &Host::new(&resource)) else {
        panic!("a live provider")
    };
    assert_eq!(plugin.count("resource service.name=shop"), 1, "{:?}", plugin.calls());
    provider.end_span(provider.start_span(&start("op", &context())), Timestamp::from_unix_nanos(1));
    assert_eq!((plugin.count("started op"), plugin.count("end_span")), (1, 1));
    let error = plugin.load().unwrap().validate("").unwrap_err();
    assert_eq!(error.to_string(), "this plugin cannot check its configuration by itself");
}

#[test]
fn a_deadline_is_no_reason_to_wait_for_it() {
    let plugin = Misbehaving::live("quick");
    let provider = plugin.create_live("flush=4");
    assert_eq!(provider.force_flush(Duration::MAX).unwrap_err().kind(), spandrel::ErrorKind::Timeout);
}
