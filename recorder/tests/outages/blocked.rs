use std::time::Duration;

use spandrel_plugin_api::TracingProvider;
use spandrel_recorder::{OverflowPolicy, RecorderConfig};

use crate::support::{Arrived, Gate, LONG, assert_all_arrived, away, quick, record, recorder, stats, told, until};

/// With room for about 1,500 spans.
fn small(on_full: OverflowPolicy) -> RecorderConfig {
    let mut config = quick();
    config.batch.queue_bytes = 128 << 10;
    config.batch.max_bytes = 32 << 10;
    config.batch.on_full = on_full;
    config
}

const SPANS: u64 = 10_000;

/// More than fits, while the exporter waits at a gate.
fn overflowed(name: &str, on_full: OverflowPolicy) -> Arrived {
    let gate = Gate::default();
    let entered = gate.clone();
    let (recorder, arrived) = recorder(name, small(on_full), move |_| {
        entered.pass();
        Ok(())
    });
    record(&recorder, 0);
    // The first is in hand; what follows waits.
    until("the first batch is in hand", || gate.is_reached());
    (1..SPANS).for_each(|n| record(&recorder, n));
    assert!(stats(&recorder).branches[0].queue_bytes <= 128 << 10);
    gate.open();
    recorder.force_flush(LONG).unwrap();
    let stats = stats(&recorder);
    let branch = &stats.branches[0];
    assert_eq!((branch.exported + branch.dropped.queue_full, branch.queue_bytes), (SPANS, 0), "{stats}");
    assert!(branch.dropped.queue_full > 0 && branch.exported > 500, "{stats}");
    assert_eq!(arrived.lock().unwrap().len() as u64, branch.exported);
    arrived
}

#[test]
fn a_full_queue_drops_the_newest_or_the_oldest() {
    told("");
    let newest = overflowed("drops newest", OverflowPolicy::Drop);
    let oldest = overflowed("drops oldest", OverflowPolicy::DropOldest);
    let (newest, oldest) = (newest.lock().unwrap(), oldest.lock().unwrap());
    assert!((0..500).all(|n| newest.contains_key(&n)), "the first were kept");
    assert!((SPANS - 500..SPANS).all(|n| oldest.contains_key(&n)), "the last were kept");
    for name in ["drops newest", "drops oldest"] {
        let begin = format!(
            "provider {name} is slower than the service and its queue is full: spans are dropped; \
             raise batch.queue_bytes, set spool.dir, or set batch.on_full = \"block\""
        );
        let told = told(name);
        assert_eq!(told[0], begin);
        // The other one ends the period, at shutdown.
        assert!(told.len() == 2 && told[1].starts_with(&format!("provider {name} lost ")), "{told:?}");
    }
}

#[test]
fn who_waits_for_room_goes_on_after_the_limit() {
    let gate = Gate::default();
    let entered = gate.clone();
    let mut config = small(OverflowPolicy::Block);
    config.batch.block_limit = Some(Duration::from_millis(1));
    let (recorder, arrived) = recorder("limited", config, move |_| {
        entered.pass();
        Ok(())
    });
    std::thread::scope(|scope| {
        for t in 0..4 {
            let recorder = &recorder;
            // They end, though nothing is exported.
            scope.spawn(move || (0..SPANS).for_each(|n| record(recorder, t * SPANS + n)));
        }
    });
    let before = stats(&recorder);
    assert!(before.branches[0].dropped.queue_full > 0, "{before}");
    gate.open();
    // A thread hands over what it has left while it is torn down, perhaps only now.
    until("all is exported or lost", || {
        recorder.force_flush(LONG).unwrap();
        recorder.stats().pending() == 0
    });
    let stats = stats(&recorder);
    assert_eq!((stats.recorded, stats.exported()), (4 * SPANS, arrived.lock().unwrap().len() as u64), "{stats}");
}

#[test]
fn who_waits_for_room_without_a_limit_loses_nothing_in_an_outage() {
    let gate = Gate::default();
    let there = gate.clone();
    let (recorder, arrived) =
        recorder("patient", small(OverflowPolicy::Block), move |_| if there.is_open() { Ok(()) } else { Err(away()) });
    std::thread::scope(|scope| {
        for t in 0..4 {
            let recorder = &recorder;
            scope.spawn(move || (0..SPANS).for_each(|n| record(recorder, t * SPANS + n)));
        }
        until("the queue is full", || recorder.stats().branches[0].queue_bytes > 60 << 10);
        let flushed = recorder.force_flush(Duration::from_millis(100));
        let waiting = recorder.stats().branches[0].queue_bytes;
        // Whatever fails, they must be able to end.
        gate.open();
        assert!(flushed.is_err());
        // What was in hand came back.
        assert!(waiting <= (128 + 65) << 10, "{waiting}");
    });
    recorder.force_flush(LONG).unwrap();
    let stats = stats(&recorder);
    assert_eq!((stats.exported(), stats.dropped()), (4 * SPANS, 0), "{stats}");
    assert_all_arrived(&arrived, 4 * SPANS);
}

#[test]
fn threads_that_end_leave_no_more_than_their_spans() {
    let mut config = quick();
    config.batch.queue_bytes = 128 << 10;
    let (recorder, _) = recorder("many threads", config, |_| Err(away()));
    for n in 0..300 {
        std::thread::scope(|scope| drop(scope.spawn(|| record(&recorder, n)).join()));
    }
    let stats = stats(&recorder);
    assert_eq!((stats.pending(), stats.dropped()), (300, 0), "a block for each would not fit: {stats}");
}
