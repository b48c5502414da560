use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use spandrel_plugin_api::{Error, ErrorKind, Stats, TracingProvider};
use spandrel_recorder::{OverflowPolicy, RecorderConfig};

use crate::support::{LONG, TestFolder, away, quick, record, recorder, with_spool};

/// The same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Spans that the branch knows of.
fn accounted(stats: &Stats) -> u64 {
    let branch = &stats.branches[0];
    branch.exported + branch.dropped.total() + branch.pending
}

/// Answers of all kinds, and the counts add up.
fn survive(name: &str, seed: u64, config: RecorderConfig) {
    let spans_each = 4000;
    let mut random = Random(seed);
    let mut panics = 0;
    let (recorder, arrived) = recorder(name, config, move |batch| match random.below(10) {
        0..3 => Ok(()),
        3..7 => Err(away()),
        7 => Err(away().with_retry_after(Duration::from_millis(2))),
        8 if panics < 2 => {
            panics += 1;
            panic!("from the exporter");
        }
        _ => {
            assert!(batch.span_count() > 0);
            Err(Error::new(ErrorKind::Malformed, "no"))
        }
    });
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let before = recorder.stats();
                let stats = recorder.stats();
                // Each thread may be between counting a span and handing it over.
                if before.recorded == stats.recorded {
                    assert!(
                        (stats.recorded.saturating_sub(3)..=stats.recorded).contains(&accounted(&stats)),
                        "{stats}"
                    );
                }
                std::thread::yield_now();
            }
        });
        let threads: Vec<_> = (0..3)
            .map(|t| {
                let recorder = &recorder;
                scope.spawn(move || {
                    for n in 0..spans_each {
                        record(recorder, t * spans_each + n);
                        if n % 1000 == 999 {
                            let _ = recorder.force_flush(Duration::from_millis(80));
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        while recorder.stats().pending() > 0 {
            let _ = recorder.force_flush(LONG);
        }
        over.store(true, Ordering::Relaxed);
    });
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.pending()), (3 * spans_each, 0), "{stats}");
    assert!(stats.is_balanced(), "{stats}");
    let arrived = arrived.lock().unwrap();
    assert!(arrived.values().all(|times| *times == 1), "nothing twice");
    assert_eq!(arrived.len() as u64, stats.exported(), "{stats}");
}

#[test]
fn counts_add_up_whatever_the_exporter_answers() {
    for (seed, on_full) in [(11, OverflowPolicy::Drop), (12, OverflowPolicy::DropOldest), (13, OverflowPolicy::Block)] {
        let mut config = quick();
        config.batch.max_bytes = 8 << 10;
        config.batch.queue_bytes = 128 << 10;
        config.batch.on_full = on_full;
        survive("chaos", seed, config);
    }
}

#[test]
fn counts_add_up_with_a_spool_whatever_the_exporter_answers() {
    for (seed, max_bytes) in [(21, 1 << 30), (22, 40 << 10)] {
        let folder = TestFolder::new();
        let mut config = with_spool(&folder);
        config.batch.max_bytes = 8 << 10;
        config.batch.queue_bytes = 128 << 10;
        config.spool.as_mut().unwrap().max_bytes = max_bytes;
        survive("spooled chaos", seed, config);
    }
}
