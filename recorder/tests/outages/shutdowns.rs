//! What a shutdown that loses spans says, and that it is said once.

use std::time::Duration;

use spandrel_plugin_api::{Error, ErrorKind, Resource, TracingProvider};
use spandrel_recorder::Recorder;

use crate::support::{Arrived, Gate, LONG, away, exporter, quick, record, recorder, stats, told, until};

/// Not within any deadline, so that a shutdown need not wait for it.
fn away_for_long() -> Error {
    away().with_retry_after(Duration::from_secs(60))
}

const DEADLINE: Duration = Duration::from_secs(30);

#[test]
fn what_is_left_is_a_counted_loss_that_the_error_tells() {
    told("");
    let (recorder, _) = recorder("never there", quick(), |_| Err(away_for_long()));
    (0..100).for_each(|n| record(&recorder, n));
    let error = recorder.shutdown(DEADLINE).unwrap_err();
    let text = "100 spans could not be exported (provider: never there; \
                reason: the backend is away (retry_after_ms: 60000))";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::SpansLost, text));
    let stats = stats(&recorder);
    assert_eq!((stats.branches[0].dropped.export_failed, stats.pending()), (100, 0), "{stats}");
    recorder.shutdown(LONG).unwrap();
    drop(recorder);
    let told = told("never there");
    // That the backend is away, if it was tried before the shutdown began.
    assert!(told.iter().all(|text| text.contains(" cannot deliver: ")), "the error tells it already: {told:?}");
}

#[test]
fn what_fails_in_the_shutdown_is_told_by_its_error() {
    told("");
    for (name, panics, why) in [("refused", false, "no"), ("breaks down", true, "it panicked")] {
        let gate = Gate::default();
        let entered = gate.clone();
        let (recorder, _) = recorder(name, quick(), move |_| {
            entered.pass();
            assert!(!panics, "from the exporter");
            Err(Error::new(ErrorKind::Malformed, "no"))
        });
        record(&recorder, 0);
        until("the batch is in hand", || gate.is_reached());
        std::thread::scope(|scope| {
            let shutdown = scope.spawn(|| recorder.shutdown(LONG));
            until("the shutdown has begun", || {
                record(&recorder, 1);
                stats(&recorder).branches[0].dropped.after_shutdown > 0
            });
            gate.open();
            let error = shutdown.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SpansLost);
            assert_eq!(error.context("reason"), Some(why), "{error}");
        });
    }
}

#[test]
fn a_shutdown_that_gives_up_says_what_it_waited_for_and_the_loss_is_told_later() {
    told("");
    let gate = Gate::default();
    let entered = gate.clone();
    let (recorder, _) = recorder("hangs", quick(), move |_| {
        entered.pass();
        Err(away())
    });
    record(&recorder, 0);
    until("the batch is in hand", || gate.is_reached());
    for (what, error) in [
        ("flush", recorder.force_flush(Duration::from_millis(20)).unwrap_err()),
        ("shutdown", recorder.shutdown(Duration::from_millis(20)).unwrap_err()),
    ] {
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(error.message(), format!("{what} did not finish before its deadline"));
        assert_eq!(error.context("not exported yet"), Some("1 span(s)"));
        assert!(error.context("waiting for").is_some_and(|text| text.starts_with("an export that began ")), "{error}");
        let remedy = "raise the deadline, or check that the backend of hangs is there and answers";
        assert_eq!(error.context("remedy"), Some(remedy));
    }
    assert!(told("hangs lost").is_empty());
    gate.open();
    let text = "provider hangs lost 1 span(s), which could not be exported before shutdown: the backend is away";
    until("the loss is told", || !told("hangs lost").is_empty());
    // Who asks again is answered.
    assert_eq!(recorder.shutdown(LONG).unwrap_err().context("reason"), Some("the backend is away"));
    drop(recorder);
    assert_eq!(told("hangs lost"), [text]);
}

#[test]
fn the_losses_of_all_branches_and_of_a_drop_are_told() {
    told("");
    let exporters = ["first of two", "second of two"]
        .map(|name| (name.to_owned(), exporter(|_| Err(away_for_long()), &Arrived::default())));
    let both = Recorder::new(quick(), &Resource::new(), exporters.into());
    record(&both, 0);
    let error = both.shutdown(DEADLINE).unwrap_err();
    assert_eq!(error.context("provider"), Some("first of two"));
    let told_of = |name: &str| -> Vec<String> {
        told(name).into_iter().filter(|text| text.contains("1 spans could not be exported")).collect()
    };
    assert_eq!((told_of("first of two").len(), told_of("second of two").len()), (0, 1));

    let (dropped, _) = recorder("dropped", quick(), |_| Err(away_for_long()));
    record(&dropped, 0);
    drop(dropped);
    let told = told("provider: dropped");
    // The second that it has may be too short for a machine that is very busy.
    assert!(
        told.len() == 1 && told[0].contains("remedy: raise the deadline") || told_of("dropped") == told,
        "{told:?}"
    );
}
