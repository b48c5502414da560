//! Killed writers, full disks, providers that panic: the service goes on, and
//! what is lost is counted.

use std::io::{BufRead, BufReader};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spandrel::{self as tracing, SpanContext, Status};
use spandrel_integration_tests::process::{self, Folder, command, run, until};
use spandrel_integration_tests::trace_file::TraceFile;
use spandrel_plugin_api::{
    Attribute, Carrier, CarrierMut, Error, Event, Extraction, Link, SpanBatch, SpanExporter, SpanStart, SpanState,
    Stats, Timestamp, TracingProvider,
};

const TRACED: &str = env!("CARGO_BIN_EXE_traced");

#[test]
fn fifty_killed_writers_leave_a_readable_file() {
    let folder = Folder::new();
    let path = folder.file("traces.jsonl");
    let mut torn = 0;
    for round in 0..50 {
        let before = std::fs::metadata(&path).map_or(0, |m| m.len());
        let mut child = command(TRACED, &folder, &["write"], &[("TRACING_TYPE", "file")]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        until("the writer writes", || std::fs::metadata(&path).is_ok_and(|m| m.len() > before + round % 8 * 20_000));
        process::signal(child.id(), libc::SIGKILL);
        let _ = process::wait(child);
        torn += usize::from(!std::fs::read(&path).unwrap().ends_with(b"\n"));
    }
    // A torn line that the next start had not mended would stand in the middle now.
    let output = run(command(TRACED, &folder, &["return"], &[("TRACING_TYPE", "file")]));
    let file = TraceFile::read(&path);
    assert_eq!((file.is_torn, file.unreadable), (false, 0), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{} spans, {torn} torn lines on the way", file.spans.len());
    assert!(file.spans.len() > 50 * 100);
    assert_eq!(file.distinct_ids(), file.spans.len());
}

#[test]
fn a_torn_last_line_is_mended_at_the_next_start() {
    let folder = Folder::new();
    let path = folder.file("traces.jsonl");
    let run = || run(command(TRACED, &folder, &["return"], &[("TRACING_TYPE", "file")]));
    assert!(run().status.success());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole[..], &whole[..whole.len() / 2]].concat()).unwrap();
    assert!(TraceFile::read(&path).is_torn);
    let output = run();
    assert!(output.status.success());
    let file = TraceFile::read(&path);
    assert_eq!((file.spans.len(), file.is_torn, file.unreadable), (200, false, 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("traces.jsonl"), "it says what it cut");
}

/// A small file system in memory; `None` where we may not mount one.
struct SmallDisk(Folder);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let folder = Folder::new();
        let options = format!("size={size}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_disk_costs_spans_that_are_counted_exactly() {
    let Some(disk) = SmallDisk::mount("256k") else {
        println!("skipped: mounting a tmpfs needs root");
        return;
    };
    let output = run(command(TRACED, &disk.0, &["count", "100"], &[("TRACING_TYPE", "file")]));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let numbers: Vec<&str> = said.split_whitespace().collect();
    let [recorded, exported, dropped, balanced] = numbers[..] else { panic!("{said}") };
    let file = TraceFile::read(&disk.0.file("traces.jsonl"));
    assert_eq!((recorded, balanced), ("10000", "true"), "{said}");
    assert_ne!(dropped, "0", "{said}");
    assert_eq!(exported, file.spans.len().to_string(), "what is counted as exported is in the file");
    assert_eq!((file.is_torn, file.unreadable), (false, 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("lost"), "and it is said once");
}

/// Panics from the call with this number on, in every method.
struct Panics {
    from: u64,
    calls: AtomicU64,
}

impl Panics {
    fn new(from: u64) -> Self {
        Self { from, calls: AtomicU64::new(0) }
    }

    fn call(&self) {
        assert!(self.calls.fetch_add(1, Ordering::Relaxed) + 1 < self.from, "by the test");
    }
}

impl TracingProvider for Panics {
    fn start_span(&self, _: &SpanStart<'_>) -> SpanState {
        self.call();
        SpanState::token(1)
    }
    fn end_span(&self, _: SpanState, _: Timestamp) {
        self.call();
    }
    fn set_span_status(&self, _: &mut SpanState, _: Status<'_>) {
        self.call();
    }
    fn set_span_name(&self, _: &mut SpanState, _: &str) {
        self.call();
    }
    fn add_span_attributes(&self, _: &mut SpanState, _: &[Attribute<'_>]) {
        self.call();
    }
    fn add_span_event(&self, _: &mut SpanState, _: &Event<'_>) {
        self.call();
    }
    fn add_span_link(&self, _: &mut SpanState, _: &Link<'_>) {
        self.call();
    }
    fn keeps_context(&self) -> bool {
        true
    }
    fn enter_span(&self, _: &mut SpanState) {
        self.call();
    }
    fn exit_span(&self, _: &mut SpanState) {
        self.call();
    }
    fn enter_unsampled(&self, _: &SpanContext) {
        self.call();
    }
    fn exit_unsampled(&self, _: &SpanContext) {
        self.call();
    }
    fn propagation_fields(&self) -> &[&str] {
        self.call();
        &["x"]
    }
    fn extract_context(&self, _: &dyn Carrier) -> Extraction {
        self.call();
        Extraction::UseConfigured
    }
    fn inject_context(&self, _: &SpanContext, _: &mut dyn CarrierMut) -> bool {
        self.call();
        false
    }
    fn current_context(&self) -> Option<SpanContext> {
        self.call();
        None
    }
    fn force_flush(&self, _: Duration) -> Result<(), Error> {
        self.call();
        Ok(())
    }
    fn retire(&self) {
        self.call();
    }
    fn shutdown(&self, _: Duration) -> Result<(), Error> {
        self.call();
        Ok(())
    }
    fn stats(&self) -> Stats {
        self.call();
        Stats::default()
    }
}

impl SpanExporter for Panics {
    fn export(&mut self, _: &SpanBatch<'_>) -> Result<(), Error> {
        self.call();
        Ok(())
    }
    fn flush(&mut self, _: Duration) -> Result<(), Error> {
        self.call();
        Ok(())
    }
    fn on_idle(&mut self) {
        self.call();
    }
    fn shutdown(&mut self, _: Duration) -> Result<(), Error> {
        self.call();
        Ok(())
    }
}

/// Uses everything that a service can use.
fn serve() {
    let headers = vec![("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    let context = tracing::extract(&headers);
    let answer = tracing::span("serve").parent(&context).run(|span| {
        span.set_attribute("a", 1);
        span.set_name("served");
        span.add_event("e", &[]);
        span.add_link(&span.context().unwrap_or_default(), &[]);
        span.set_status(Status::Ok);
        tracing::inject(&mut Vec::<(String, String)>::new());
        tracing::with_span("inner", |_| 42)
    });
    assert_eq!(answer, 42, "the service goes on");
}

#[test]
fn a_provider_that_panics_everywhere_is_quarantined_after_three() {
    for from in [1, 100] {
        let tracer = tracing::builder().provider("panics", move || Panics::new(from)).build().unwrap();
        tracer.context().within(|| (0..200).for_each(|_| serve()));
        assert!(tracer.flush(Duration::from_secs(1)).is_err());
        assert!(tracer.shutdown(Duration::from_secs(1)).is_err());
        let stats = tracer.stats();
        assert_eq!(stats.panics, 3, "from call {from}");
        assert!(stats.recorded > 300 && stats.is_balanced() && stats.dropped() == stats.recorded, "{stats}");
    }
}

#[test]
fn an_exporter_that_panics_everywhere_is_quarantined_after_three() {
    for from in [1, 100] {
        let tracer = tracing::builder().exporter("panics", move || Panics::new(from)).build().unwrap();
        tracer.context().within(|| {
            for _ in 0..200 {
                serve();
                let _ = tracer.flush(Duration::from_secs(60));
            }
        });
        assert!(tracer.shutdown(Duration::from_secs(60)).is_err());
        let stats = tracer.stats();
        assert_eq!((stats.panics, stats.recorded), (3, 400), "from call {from}");
        assert!(stats.is_balanced() && stats.dropped() >= 300 && stats.pending() == 0, "{stats}");
    }
}

#[test]
fn a_provider_whose_data_panics_when_dropped_is_contained() {
    struct Bomb(Arc<AtomicU64>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("by the test");
        }
    }
    struct Bombs(Arc<AtomicU64>);
    impl TracingProvider for Bombs {
        fn start_span(&self, _: &SpanStart<'_>) -> SpanState {
            SpanState::boxed(Box::new(Bomb(Arc::clone(&self.0))))
        }
        fn end_span(&self, _: SpanState, _: Timestamp) {}
        fn set_span_status(&self, _: &mut SpanState, _: Status<'_>) {}
        fn set_span_name(&self, _: &mut SpanState, _: &str) {}
        fn add_span_attributes(&self, _: &mut SpanState, _: &[Attribute<'_>]) {}
        fn add_span_event(&self, _: &mut SpanState, _: &Event<'_>) {}
        fn add_span_link(&self, _: &mut SpanState, _: &Link<'_>) {}
        fn force_flush(&self, _: Duration) -> Result<(), Error> {
            Ok(())
        }
        fn shutdown(&self, _: Duration) -> Result<(), Error> {
            Ok(())
        }
    }
    let bombs = Arc::<AtomicU64>::default();
    let made = Arc::clone(&bombs);
    let tracer = tracing::builder().provider("bombs", move || Bombs(Arc::clone(&made))).build().unwrap();
    tracer.context().within(|| (0..5).for_each(|_| serve()));
    assert!((3..6).contains(&tracer.stats().panics), "{}", tracer.stats());
    assert!(bombs.load(Ordering::Relaxed) >= 3);
}
