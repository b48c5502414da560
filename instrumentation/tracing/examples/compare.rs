//! What a span of `tracing` costs, with this bridge and with tracing-opentelemetry.
//!
//! ```text
//! cargo run --release -p spandrel-tracing --example compare
//! cargo run --release -p spandrel-tracing --example compare -- full bridge 3000   # for callgrind
//! ```
//!
//! Each figure comes from a process of its own: the least of all chunks of about 2,000
//! spans, after a warm-up, of real time. Between the chunks everything is delivered, to
//! an exporter that discards. `registry` is tracing-subscriber without anything that records:
//! what both have to pay. The SDK of OpenTelemetry has its default batch processor.

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider, SpanData};
use spandrel::provider::SpanBatch;
use tracing::{info, info_span};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

const WORKLOADS: [(&str, u32); 4] = [("root", 2000), ("full", 2000), ("children-10", 180), ("poll-10", 500)];
const SUBJECTS: [&str; 4] = ["registry", "bridge", "otel", "otel-lean"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => table(),
        [workload, subject] => println!("{:.1}", least(workload, &install(subject))),
        [workload, subject, operations] => {
            let flush = install(subject);
            let operations: u32 = operations.parse().expect("a number of operations");
            for at in 1..=operations {
                run(workload);
                if at % 100 == 0 {
                    flush();
                }
            }
        }
        _ => panic!("usage: compare [WORKLOAD SUBJECT [OPERATIONS]]"),
    }
}

fn table() {
    println!("{:12}{:>10}{:>10}{:>10}{:>10}   otel/bridge", "ns", SUBJECTS[0], SUBJECTS[1], SUBJECTS[2], SUBJECTS[3]);
    for (workload, _) in WORKLOADS {
        let figures = SUBJECTS.map(|subject| (0..5).map(|_| child(workload, subject)).fold(f64::MAX, f64::min));
        let [registry, bridge, otel, lean] = figures;
        let over = |a: f64| (a - registry) / (bridge - registry);
        println!(
            "{workload:12}{registry:10.0}{bridge:10.0}{otel:10.0}{lean:10.0}   all of it {:.1}x, lean {:.1}x; above the registry {:.1}x, lean {:.1}x",
            otel / bridge,
            lean / bridge,
            over(otel),
            over(lean),
        );
    }
}

fn child(workload: &str, subject: &str) -> f64 {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program).args([workload, subject]).output().expect("it can be run again");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("one number")
}

type Flush = Box<dyn Fn()>;

/// Nanoseconds of one operation.
fn least(workload: &str, flush: &Flush) -> f64 {
    let (_, operations) = WORKLOADS.into_iter().find(|(name, _)| *name == workload).expect("a workload");
    let chunk = || {
        let start = Instant::now();
        for _ in 0..operations {
            run(workload);
        }
        let time = start.elapsed().as_nanos() as f64 / f64::from(operations);
        flush();
        time
    };
    for _ in 0..20 {
        chunk();
    }
    (0..150).map(|_| chunk()).fold(f64::MAX, f64::min)
}

fn install(subject: &str) -> Flush {
    let registry = tracing_subscriber::registry().with(LevelFilter::INFO);
    match subject {
        "registry" => {
            registry.init();
            Box::new(|| ())
        }
        "bridge" => {
            let exporter = spandrel::builder().service("compare").exporter("discard", || Discard);
            std::mem::forget(exporter.install().expect("these settings are valid"));
            registry.with(spandrel_tracing::layer()).init();
            Box::new(|| spandrel::flush(Duration::from_secs(10)).expect("nothing can fail"))
        }
        _ => {
            let processor = BatchSpanProcessor::builder(DiscardOtel).build();
            let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
            let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("compare"));
            let layer = match subject {
                "otel" => layer,
                _ => layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false),
            };
            registry.with(layer).init();
            Box::new(move || provider.force_flush().expect("nothing can fail"))
        }
    }
}

fn run(workload: &str) {
    match workload {
        "root" => info_span!("checkout").in_scope(work),
        "full" => {
            let (id, items, total) = black_box(("0123456789abcdefghijklm", 3, 9.75));
            let span = info_span!(
                "checkout",
                http.request.method = "GET",
                cart.id = id,
                cart.items = items,
                cart.total = total
            );
            span.in_scope(|| {
                info!("paid");
                work();
            });
        }
        "children-10" => info_span!("checkout").in_scope(|| {
            for item in 0..10 {
                let item: i64 = black_box(item);
                info_span!("reserve_stock", warehouse.name = "east", cart.item = item).in_scope(work);
            }
        }),
        "poll-10" => {
            let span = info_span!("checkout");
            (0..10).for_each(|_| span.in_scope(work));
        }
        _ => panic!("no such workload"),
    }
}

fn work() {
    black_box(1_u32);
}

struct Discard;

impl spandrel::SpanExporter for Discard {
    fn export(&mut self, _: &SpanBatch<'_>) -> Result<(), spandrel::Error> {
        Ok(())
    }
}

#[derive(Debug)]
struct DiscardOtel;

impl opentelemetry_sdk::trace::SpanExporter for DiscardOtel {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}
