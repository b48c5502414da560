//! The layer over the tracer of the whole program, as a service has it: nothing is
//! ambient here, which is the shortest way. One test, as there is one such tracer.

use std::num::NonZeroUsize;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use spandrel::provider::SpanBatch;
use spandrel::{Error, Sampler, SpanExporter, with_span};
use spandrel_provider_memory::{MemoryExporter, MemoryStore};
use tracing::{debug_span, info, info_span};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[test]
fn threads_interleave_both_apis_over_the_installed_tracer() {
    const THREADS: i64 = 4;
    const ROUNDS: i64 = 500;

    let store = MemoryStore::new(NonZeroUsize::MAX);
    let exported = store.clone();
    let builder = spandrel::builder().exporter("memory", move || Traced(MemoryExporter::new(exported.clone())));
    let guard = builder.sampler(Sampler::always_on()).install().unwrap();
    tracing_subscriber::registry().with(LevelFilter::INFO).with(spandrel_tracing::layer()).init();

    let shared = info_span!("shared");
    let all_in = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for worker in 0..THREADS {
            let (shared, all_in) = (&shared, &all_in);
            scope.spawn(move || {
                shared.in_scope(|| {
                    all_in.wait();
                    for round in 0..ROUNDS {
                        let outer = info_span!("outer", worker, round, otel.kind = "server");
                        outer.in_scope(|| {
                            with_span("middle", |_| {
                                debug_span!("not wanted").in_scope(|| info_span!("inner").in_scope(|| info!("done")));
                            });
                        });
                        info!(worker, round, "round");
                    }
                });
                assert_eq!(spandrel::current(), None);
            });
        }
    });
    drop(shared);
    spandrel::flush(Duration::from_secs(60)).unwrap();

    // What the exporter does is not traced, or it would never end.
    let spans = store.take();
    let count = (THREADS * ROUNDS) as usize;
    assert_eq!(spans.len(), 1 + 3 * count);
    let by_id: std::collections::HashMap<_, _> = spans.iter().map(|span| (span.span_id, span)).collect();
    let shared = spans.iter().find(|span| span.name == "shared").unwrap();
    for span in spans.iter().filter(|span| span.name != "shared") {
        let parent = by_id[&span.parent_span_id.unwrap()];
        let expected = match span.name.as_str() {
            "outer" => "shared",
            "middle" => "outer",
            _ => "middle",
        };
        assert_eq!((parent.name.as_str(), span.trace_id), (expected, shared.trace_id), "{}", span.name);
        assert_eq!(span.events.len(), usize::from(span.name == "inner"));
    }
    // The owner's and those that waited for it; the limit of a span drops the rest, and counts.
    assert_eq!(shared.events.len() + shared.dropped_counts.1 as usize + lost(), count);
    drop(guard);
}

/// An exporter whose own code is traced, as HTTP clients are.
struct Traced(MemoryExporter);

impl SpanExporter for Traced {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        info_span!("export", spans = batch.span_count()).in_scope(|| {
            info!("exporting");
            self.0.export(batch)
        })
    }
}

/// What did not wait, because there was too much of it.
fn lost() -> usize {
    spandrel::diagnostics::counters().get("tracing.late_writes_lost").map_or(0, |lost| *lost as usize)
}
