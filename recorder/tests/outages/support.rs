use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::time::{Duration, Instant};

use spandrel_plugin_api::{
    Error, ErrorKind, InstrumentationScope, Resource, SpanBatch, SpanContext, SpanExporter, SpanId, SpanKind,
    SpanStart, Stats, Timestamp, TraceFlags, TraceId, TracingProvider, diagnostics,
};
use spandrel_recorder::{Recorder, RecorderConfig, SpoolConfig};

/// Only against hanging.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// How often each span arrived.
pub(crate) type Arrived = Arc<Mutex<BTreeMap<u64, u32>>>;

struct Scripted<F> {
    answer: F,
    arrived: Arrived,
}

impl<F: FnMut(&SpanBatch<'_>) -> Result<(), Error> + Send> SpanExporter for Scripted<F> {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        let answer = (self.answer)(batch);
        if answer.is_ok() {
            let mut arrived = self.arrived.lock().unwrap();
            for n in numbers(batch) {
                *arrived.entry(n).or_default() += 1;
            }
        }
        answer
    }
}

/// The numbers of the spans in a batch.
pub(crate) fn numbers(batch: &SpanBatch<'_>) -> Vec<u64> {
    let numbers = batch.spans().map(|span| u64::from_be_bytes(span.unwrap().span_id().to_bytes()) - 1);
    let numbers: Vec<u64> = numbers.collect();
    assert_eq!(numbers.len(), batch.span_count());
    numbers
}

/// A recorder whose exporter answers so; what it says Ok to has arrived.
pub(crate) fn recorder(
    name: &str,
    config: RecorderConfig,
    answer: impl FnMut(&SpanBatch<'_>) -> Result<(), Error> + Send + 'static,
) -> (Recorder, Arrived) {
    let arrived = Arrived::default();
    let exporter = exporter(answer, &arrived);
    (Recorder::new(config, &Resource::new(), vec![(name.to_owned(), exporter)]), arrived)
}

/// An exporter that answers so.
pub(crate) fn exporter(
    answer: impl FnMut(&SpanBatch<'_>) -> Result<(), Error> + Send + 'static,
    arrived: &Arrived,
) -> Box<dyn SpanExporter> {
    Box::new(Scripted { answer, arrived: Arc::clone(arrived) })
}

/// Intervals that suit a test.
pub(crate) fn quick() -> RecorderConfig {
    let mut config = RecorderConfig::default();
    config.batch.delay = Duration::from_millis(5);
    config.batch.retry_first = Duration::from_millis(5);
    config.batch.retry_max = Duration::from_millis(20);
    config
}

pub(crate) fn with_spool(folder: &TestFolder) -> RecorderConfig {
    let mut config = quick();
    config.spool = Some(SpoolConfig::new(folder.path()));
    config
}

pub(crate) fn record(recorder: &Recorder, n: u64) {
    let trace = TraceId::from_bytes([1; 16]);
    let context = SpanContext::new(trace, SpanId::from_bytes((n + 1).to_be_bytes()), TraceFlags::SAMPLED);
    let span = recorder.start_span(&SpanStart {
        name: "op",
        context: &context,
        parent: None,
        kind: SpanKind::Internal,
        time: Timestamp::from_unix_nanos(100),
        attributes: &[],
        links: &[],
        scope: InstrumentationScope { name: if n.is_multiple_of(7) { "seven" } else { "tests" }, version: "1" },
    });
    recorder.end_span(span, Timestamp::from_unix_nanos(200));
}

pub(crate) fn away() -> Error {
    Error::new(ErrorKind::Unavailable, "the backend is away")
}

/// The counts, which always add up.
pub(crate) fn stats(recorder: &Recorder) -> Stats {
    let stats = recorder.stats();
    assert!(stats.is_balanced(), "{stats}");
    stats
}

/// Each of the first spans arrived, and once.
pub(crate) fn assert_all_arrived(arrived: &Arrived, spans: u64) {
    let arrived = arrived.lock().unwrap();
    let missing: Vec<u64> = (0..spans).filter(|n| !arrived.contains_key(n)).collect();
    assert!(missing.is_empty(), "{} of {spans} are missing: {:?} ...", missing.len(), &missing[..missing.len().min(9)]);
    assert!(arrived.values().all(|times| *times == 1) && arrived.len() as u64 == spans);
}

pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "still waiting: {what}");
        std::thread::yield_now();
    }
}

/// What an exporter waits at until it is open.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Default)]
struct GateState {
    is_open: bool,
    is_reached: bool,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().is_open = true;
        self.0.1.notify_all();
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.0.lock().unwrap().is_open
    }

    /// Whether somebody has come to it.
    pub(crate) fn is_reached(&self) -> bool {
        self.0.0.lock().unwrap().is_reached
    }

    pub(crate) fn pass(&self) {
        let (state, opened) = &*self.0;
        let mut state = state.lock().unwrap();
        state.is_reached = true;
        drop(opened.wait_while(state, |state| !state.is_open).unwrap());
    }
}

/// A folder that is removed at the end.
pub(crate) struct TestFolder(PathBuf);

impl TestFolder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("spandrel-outages-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What was told that has this in it, usually the name of a provider.
pub(crate) fn told(part: &str) -> Vec<String> {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let handler = |_: diagnostics::Level, text: &str| TOLD.lock().unwrap().push(text.to_owned());
        assert!(diagnostics::set_handler(Box::new(handler)));
    });
    TOLD.lock().unwrap().iter().filter(|text| text.contains(part)).cloned().collect()
}
