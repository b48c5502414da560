//! One of two backends hangs: the other gets all, and a span costs its caller what it cost before.

use std::time::{Duration, Instant};

use spandrel::{self as tracing, BranchStats, Tracer};
use spandrel_integration_tests::backend::{Backend, Mood};
use spandrel_integration_tests::process::{Folder, until};
use spandrel_integration_tests::trace_file::TraceFile;
use spandrel_provider_otlp::OtlpFactory;

const ROUNDS: u64 = 100;
const SPANS: u64 = 1000;

/// A file beside a collector.
struct Service {
    tracer: Tracer,
    recorded: u64,
    least_cpu: Duration,
    time: Duration,
}

impl Service {
    fn new(folder: &Folder, file: &str, backend: &Backend) -> Self {
        let config = format!(
            "type = ['file', 'otlp']\n[batch]\ndelay_ms = 5\nqueue_bytes = 1048576\n[provider.file]\npath = '{}'\n\
             [provider.otlp]\nendpoint = '{}'\nproxy = 'none'\n",
            folder.file(file).display(),
            backend.url()
        );
        let tracer = tracing::builder().register(OtlpFactory).default_config(config).build().unwrap();
        Self { tracer, recorded: 0, least_cpu: Duration::MAX, time: Duration::ZERO }
    }

    fn branch(&self, name: &str) -> BranchStats {
        let stats = self.tracer.stats();
        assert!(stats.is_balanced(), "{stats}");
        stats.branches.into_iter().find(|branch| branch.name == name).unwrap()
    }

    /// Records some spans, and waits until they are in the file.
    fn round(&mut self) {
        let (began, cpu) = (Instant::now(), thread_time());
        self.tracer.context().within(|| {
            for n in 0..SPANS {
                tracing::with_span("op", |span| {
                    span.set_attribute("cart.id", "0123456789abcdefghijklm");
                    span.set_attribute("cart.items", n);
                });
            }
        });
        self.least_cpu = self.least_cpu.min(thread_time() - cpu);
        self.time += began.elapsed();
        self.recorded += SPANS;
        until("all is in the file", || self.branch("file").exported == self.recorded);
    }
}

#[test]
fn a_backend_that_hangs_costs_neither_the_other_nor_the_caller() {
    let folder = Folder::new();
    let backends = [Mood::Healthy, Mood::Hung].map(Backend::start);
    let mut healthy = Service::new(&folder, "healthy.jsonl", &backends[0]);
    let mut hung = Service::new(&folder, "hung.jsonl", &backends[1]);
    // Until its queue is full, and each span more is one that is lost there.
    while hung.branch("otlp").dropped.queue_full == 0 {
        hung.round();
    }
    healthy.round();
    for service in [&mut healthy, &mut hung] {
        (service.least_cpu, service.time) = (Duration::MAX, Duration::ZERO);
    }
    for _ in 0..ROUNDS {
        healthy.round();
        hung.round();
    }
    let (cpu, time) = (hung.least_cpu.div_duration_f64(healthy.least_cpu), hung.time.div_duration_f64(healthy.time));
    println!(
        "beside a backend that hangs: {cpu:.2} times the CPU time of a span ({:?} and {:?} for {SPANS}), {time:.2} times the time",
        healthy.least_cpu, hung.least_cpu
    );
    assert!(cpu < 1.5, "{cpu}");
    // One wait for the backend would be thousands of times what a round takes.
    assert!(time < 10.0, "{time}");

    let [file, otlp] = ["file", "otlp"].map(|name| hung.branch(name));
    println!("{}", hung.tracer.stats());
    assert_eq!((file.exported, file.dropped.total(), file.pending), (hung.recorded, 0, 0));
    assert_eq!((otlp.exported, otlp.dropped.total() + otlp.pending), (0, hung.recorded));
    assert_eq!(TraceFile::read(&folder.file("hung.jsonl")).count("op") as u64, hung.recorded);
    assert_eq!(healthy.tracer.stats().dropped(), 0);
    assert!(hung.tracer.shutdown(Duration::from_millis(100)).is_err(), "what the other has lost is told");
    healthy.tracer.shutdown(Duration::from_secs(60)).unwrap();
}

/// CPU time of this thread.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is written to during the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
