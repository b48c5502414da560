//! Under load: swapping loses nothing, and the counts add up.
//!
//! Installs, so everything is in one test.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use spandrel::{self as tracing, BatchConfig, OverflowPolicy, Provider};
use spandrel_provider_memory::{MemoryExporter, MemoryStore};

const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn swapping_the_provider_under_four_threads_loses_nothing() {
    let first = MemoryStore::new(NonZeroUsize::MAX);
    let exported = first.clone();
    let mut batch = BatchConfig::default();
    batch.on_full = OverflowPolicy::Block;
    let guard = tracing::builder()
        .exporter("first", move || MemoryExporter::new(exported.clone()))
        .batch(batch)
        .install()
        .unwrap();

    let stop = AtomicBool::new(false);
    let recorded = AtomicU64::new(0);
    let mut stores = vec![first];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut outer = tracing::start_span("outer");
                    let inner = outer.within(|_| tracing::start_span("inner"));
                    // Each knows whether it is recorded, whatever is swapped meanwhile.
                    let count = u64::from(outer.is_recording()) + u64::from(inner.is_recording());
                    recorded.fetch_add(count, Ordering::Relaxed);
                    drop(outer);
                    drop(inner);
                }
            });
        }
        for round in 0..40 {
            tracing::disable();
            assert!(!tracing::is_enabled());
            tracing::enable();
            let store = MemoryStore::new(NonZeroUsize::MAX);
            stores.push(store.clone());
            let provider = Provider::Exporter(Box::new(MemoryExporter::new(store)));
            tracing::set_provider(&format!("round {round}"), provider).unwrap();
            if round % 4 == 0 {
                tracing::reload().unwrap();
            }
            let before = recorded.load(Ordering::Relaxed);
            while recorded.load(Ordering::Relaxed) < before + 500 {
                std::thread::yield_now();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });

    let report = guard.shutdown(DEADLINE).unwrap();
    let recorded = recorded.into_inner();
    let stored: usize = stores.iter().map(|store| store.spans().len()).sum();
    assert_eq!((report.recorded(), report.exported()), (recorded, recorded), "{report}");
    assert_eq!(stored as u64, recorded, "what was recorded is where it belongs");
    assert!(report.providers.iter().all(|(_, stats)| stats.is_balanced()), "{report}");

    let before = tracing::stats();
    tracing::enable();
    assert_eq!(tracing::reload().unwrap_err().kind(), tracing::ErrorKind::Shutdown);
    tracing::with_span("too late", |span| assert!(!span.is_recording()));
    assert_eq!(tracing::stats(), before, "nothing is recorded after shutdown");
}

#[test]
fn eight_threads_are_counted_to_the_span() {
    for (on_full, queue_bytes) in [(OverflowPolicy::Block, 1 << 20), (OverflowPolicy::Drop, 128 << 10)] {
        let mut batch = BatchConfig::default();
        batch.on_full = on_full;
        batch.queue_bytes = queue_bytes;
        let store = MemoryStore::new(NonZeroUsize::MIN);
        let tracer = tracing::builder().exporter("memory", move || MemoryExporter::new(store.clone())).batch(batch);
        let tracer = tracer.build().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let context = tracer.context();
                scope.spawn(move || {
                    context.within(|| {
                        for i in 0..100_000_u32 {
                            tracing::with_span("op", |span| span.set_attribute("i", i));
                        }
                    });
                });
            }
        });
        tracer.flush(DEADLINE).unwrap();
        let stats = tracer.stats();
        println!("{on_full:?}: {stats}");
        assert_eq!((stats.recorded, stats.pending()), (800_000, 0), "{stats}");
        assert!(stats.is_balanced(), "{stats}");
        if on_full == OverflowPolicy::Block {
            assert_eq!(stats.dropped(), 0, "{stats}");
        }
    }
}
