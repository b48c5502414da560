use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use spandrel_plugin_api::{Error, ErrorKind, TracingProvider};

use crate::support::{Gate, LONG, assert_all_arrived, away, quick, record, recorder, stats, told};

#[test]
fn a_backend_that_is_away_for_a_while_costs_nothing() {
    told("");
    let mut calls = 0;
    let (recorder, arrived) = recorder("comes back", quick(), move |_| {
        calls += 1;
        if calls < 8 { Err(away()) } else { Ok(()) }
    });
    for n in 0..2000 {
        record(&recorder, n);
        if n % 500 == 0 {
            stats(&recorder);
        }
    }
    recorder.force_flush(LONG).unwrap();
    let stats = stats(&recorder);
    assert_eq!((stats.exported(), stats.dropped(), stats.pending()), (2000, 0, 0), "{stats}");
    let branch = &stats.branches[0];
    assert!(branch.retries == 7 && branch.exports > 7 && branch.export_time >= branch.last_export_time);
    assert_eq!(branch.last_error, "the backend is away");
    assert_all_arrived(&arrived, 2000);
    let told = told("comes back");
    let begin = "provider comes back cannot deliver: the backend is away; spans are kept in memory and tried again";
    assert_eq!(told[0], begin);
    assert!(told[1].starts_with("provider comes back delivers again after "), "{told:?}");
    assert_eq!(told.len(), 2);
}

#[test]
fn a_backend_says_when_to_try_again() {
    let (said, heard) = channel();
    let mut attempts = Vec::new();
    let (recorder, _) = recorder("busy", quick(), move |_| {
        attempts.push(Instant::now());
        match attempts[..] {
            [first, second] => drop(said.send(second - first)),
            _ => return Err(away().with_retry_after(Duration::from_millis(150))),
        }
        Ok(())
    });
    record(&recorder, 1);
    let waited = heard.recv_timeout(LONG).unwrap();
    assert!(waited >= Duration::from_millis(150), "{waited:?}");
    recorder.force_flush(LONG).unwrap();
    assert_eq!(stats(&recorder).exported(), 1);
}

#[test]
fn a_flush_in_an_outage_ends_in_time_and_keeps_the_spans() {
    let gate = Gate::default();
    let there = gate.clone();
    let (recorder, arrived) = recorder("flushed", quick(), move |_| if there.is_open() { Ok(()) } else { Err(away()) });
    (0..100).for_each(|n| record(&recorder, n));
    let error = recorder.force_flush(Duration::from_millis(300)).unwrap_err();
    // The worker says so in time, unless the machine is very busy.
    assert!([ErrorKind::Unavailable, ErrorKind::Timeout].contains(&error.kind()), "{error}");
    assert_eq!(stats(&recorder).pending(), 100);
    gate.open();
    recorder.force_flush(LONG).unwrap();
    assert_all_arrived(&arrived, 100);
    recorder.shutdown(LONG).unwrap();
}

#[test]
fn a_flush_does_not_wait_for_an_attempt_that_comes_too_late() {
    let (recorder, _) =
        recorder("throttles", quick(), |_| Err(away().with_retry_after(Duration::from_secs(1_000_000))));
    record(&recorder, 1);
    let began = Instant::now();
    // The backend is left alone for a minute at most, which is still too long.
    let error = recorder.force_flush(Duration::from_secs(30)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.message(), "1 spans could not be exported yet; they are kept and tried again");
    let error = recorder.shutdown(Duration::from_secs(30)).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::SpansLost, "1 spans could not be exported"));
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_part_that_is_refused_is_lost_and_the_rest_arrived() {
    told("");
    let mut calls = 0;
    let (recorder, _) = recorder("partial", quick(), move |_| {
        calls += 1;
        let error = Error::new(ErrorKind::SpansLost, "some are refused");
        match calls {
            1 => Err(error.with_spans_lost(3)),
            // More than there are.
            2 => Err(error.with_spans_lost(1000)),
            3 => Err(error),
            _ => Err(Error::new(ErrorKind::Timeout, "nobody knows").with_spans_lost(1)),
        }
    });
    for (n, lost) in [(10, 3), (20, 13), (30, 23), (40, 33)] {
        (n - 10..n).for_each(|n| record(&recorder, n));
        assert_eq!(recorder.force_flush(LONG).unwrap_err().kind(), ErrorKind::SpansLost);
        let stats = stats(&recorder);
        assert_eq!((stats.exported(), stats.branches[0].dropped.export_failed), (7, lost), "{stats}");
    }
    assert_eq!(told("partial")[0], "provider partial lost 3 span(s): some are refused (spans_lost: 3)");
}

#[test]
fn a_panic_costs_its_batch_and_every_later_span_arrives() {
    let mut calls = 0;
    let (recorder, arrived) = recorder("panics", quick(), move |_| {
        calls += 1;
        assert!(calls > 1, "from the exporter");
        Ok(())
    });
    record(&recorder, 1000);
    assert_eq!(recorder.force_flush(LONG).unwrap_err().kind(), ErrorKind::SpansLost);
    (0..1000).for_each(|n| record(&recorder, n));
    recorder.force_flush(LONG).unwrap();
    let stats = stats(&recorder);
    assert_eq!((stats.exported(), stats.branches[0].dropped.panicked, stats.panics), (1000, 1, 1), "{stats}");
    assert_all_arrived(&arrived, 1000);
}

#[test]
fn a_panic_in_an_outage_costs_its_batch() {
    let mut calls = 0;
    let (recorder, _) = recorder("panics later", quick(), move |_| {
        calls += 1;
        assert!(calls != 3, "from the exporter");
        if calls < 3 { Err(away()) } else { Ok(()) }
    });
    record(&recorder, 1);
    assert_eq!(recorder.force_flush(LONG).unwrap_err().kind(), ErrorKind::SpansLost);
    record(&recorder, 2);
    recorder.force_flush(LONG).unwrap();
    assert_eq!((stats(&recorder).exported(), stats(&recorder).branches[0].dropped.panicked), (1, 1));
}
