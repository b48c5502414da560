//! Errors of plugins: odd texts, no texts, numbers that nobody knows.

use std::time::Duration;

use spandrel_plugin_api::{ErrorKind, SpanBatch};

use crate::misbehaving::{Misbehaving, messages};

const LONG: Duration = Duration::from_secs(30);

#[test]
fn texts_that_are_not_utf_8_are_replaced() {
    for plugin in Misbehaving::both("odd_errors") {
        let error = plugin.create("create=invalid").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.message(), "broken \u{fffd} text");
        assert_eq!(error.context("ke\u{fffd}y"), Some("val\u{fffd}ue"));
        assert!(error.to_string().contains("\u{fffd}("), "with its cause: {error}");
        assert_eq!(plugin.calls(), ["create", "release"]);
    }
}

#[test]
fn an_error_without_a_text_says_its_status() {
    for (behaviour, status, kind, releases) in [
        ("create=null", 3, ErrorKind::Unavailable, 1),
        ("create=1", 1, ErrorKind::ConfigInvalid, 0),
        ("create=4711", 4711, ErrorKind::Internal, 0),
        ("create=-1", -1, ErrorKind::Internal, 0),
    ] {
        for plugin in Misbehaving::both("no_text") {
            let error = plugin.create(behaviour).unwrap_err();
            assert_eq!(error.kind(), kind, "{behaviour}");
            let message = format!("the plugin answered with status {status} and without a text");
            assert_eq!(error.message(), message, "{behaviour}");
            assert_eq!(plugin.count("release"), releases, "{behaviour}");
        }
    }
}

#[test]
fn an_error_of_a_call_that_succeeded_is_released_too() {
    for plugin in Misbehaving::both("filled") {
        assert!(plugin.create("create=filled").is_ok());
        assert_eq!(plugin.calls()[..2], ["create", "release"]);
    }
}

#[test]
fn each_status_has_its_kind_wherever_it_is_the_answer() {
    let [exporter, live] = Misbehaving::both("statuses");
    for (status, kind) in [
        ("1", ErrorKind::ConfigInvalid),
        ("2", ErrorKind::Unsupported),
        ("3", ErrorKind::Unavailable),
        ("4", ErrorKind::Timeout),
        ("5", ErrorKind::Shutdown),
        ("6", ErrorKind::SpansLost),
        ("7", ErrorKind::Panicked),
        ("8", ErrorKind::Io),
        ("9", ErrorKind::Malformed),
        ("10", ErrorKind::Internal),
        ("11", ErrorKind::Internal),
        ("2147483647", ErrorKind::Internal),
        ("-2147483648", ErrorKind::Internal),
    ] {
        let behaviour = |call: &str| format!("{call}={status}");
        let batch = SpanBatch::new(&[], 1);
        let (mut made, _) = exporter.create_exporter(&behaviour("export"));
        assert_eq!(made.export(&batch).unwrap_err().kind(), kind, "export answers {status}");
        let (mut made, _) = exporter.create_exporter(&behaviour("flush"));
        assert_eq!(made.flush(LONG).unwrap_err().kind(), kind, "flush answers {status}");
        let (mut made, _) = exporter.create_exporter(&behaviour("shutdown"));
        assert_eq!(made.shutdown(LONG).unwrap_err().kind(), kind, "shutdown answers {status}");
        let (_, companion) = exporter.create_exporter(&behaviour("health"));
        assert_eq!(companion.health().unwrap_err().kind(), kind, "health answers {status}");
        assert_eq!(live.create_live(&behaviour("flush")).force_flush(LONG).unwrap_err().kind(), kind, "{status}");
        assert_eq!(live.create_live(&behaviour("shutdown")).shutdown(LONG).unwrap_err().kind(), kind, "{status}");
        assert_eq!(live.create_live(&behaviour("health")).health().unwrap_err().kind(), kind, "{status}");
    }
}

#[test]
fn every_error_of_an_instance_is_released_once() {
    for odd in ["invalid", "null"] {
        let [exporter, live] = Misbehaving::both("released");
        let behaviour = format!("export={odd} flush={odd} shutdown={odd} health={odd}");
        let (mut made, companion) = exporter.create_exporter(&behaviour);
        assert_eq!(made.export(&SpanBatch::new(&[], 1)).unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(exporter.count("release"), 1);
        assert!(made.flush(LONG).is_err() && companion.health().is_err() && made.shutdown(LONG).is_err());
        assert_eq!(exporter.count("release"), 4);
        let made = live.create_live(&behaviour);
        assert!(made.force_flush(LONG).is_err() && made.health().is_err() && made.shutdown(LONG).is_err());
        assert_eq!(live.count("release"), 3);
    }
}

#[test]
fn spans_of_a_failed_export_are_counted_and_told() {
    messages("");
    let plugin = Misbehaving::exporter("failing");
    let tracer = plugin.tracer("export=invalid");
    tracer.context().within(|| (0..3).for_each(|_| spandrel::with_span("op", |_| ())));
    // Its backend is unavailable, it says, so that they are kept until shutdown.
    assert!(tracer.flush(Duration::from_millis(100)).is_err());
    assert_eq!(tracer.stats().pending(), 3);
    let error = tracer.shutdown(Duration::from_secs(5)).unwrap_err();
    let why = "broken \u{fffd} text (ke\u{fffd}y: val\u{fffd}ue)";
    assert_eq!(error.kind(), ErrorKind::SpansLost);
    assert!(error.context("reason").is_some_and(|reason| reason.starts_with(why)), "{error}");
    assert!(messages("failing lost").is_empty(), "the error tells it");
    let stats = tracer.stats();
    assert_eq!((stats.recorded, stats.branches[0].dropped.export_failed), (3, 3), "{stats}");

    // Any other error is final.
    let tracer = plugin.tracer("export=9");
    tracer.context().within(|| (0..3).for_each(|_| spandrel::with_span("op", |_| ())));
    assert_eq!(tracer.flush(LONG).unwrap_err().kind(), ErrorKind::SpansLost);
    assert_eq!(tracer.stats().branches[0].dropped.export_failed, 3);
}
