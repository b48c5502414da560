//! How long shutdowns take: backends of all kinds, and all that a program may call it from.
//!
//! - `shutdowns [--trials 10000] [--deadline-ms 200] [--slack-ms 100] [--at-once 8]` says for each kind and way how many
//!   shutdowns returned within their deadline and the slack, and how long the longest took. It fails unless
//!   all did, none hung, a second call did not wait, and the counts added up. Beside builds, `nice -n -15` keeps those
//!   from being what is measured.
//! - `shutdowns end KIND VARIANT URL DEADLINE_MS` is a process that is measured while it exits.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use spandrel::diagnostics::Level;
use spandrel::{self as tracing, Builder, SpanExporter, Tracer};
use spandrel_integration_tests::backend::{Backend, Mood};
use spandrel_integration_tests::process::{self, Folder};
use spandrel_plugin_api::{SpanBatch, Stats};
use spandrel_provider_otlp::OtlpFactory;
use tokio::runtime::{Builder as RuntimeBuilder, Runtime};

type Failure = Box<dyn Error>;

const KINDS: [&str; 6] = ["healthy", "refusing", "hung", "slow drip", "panicking", "blocked"];
const WAYS: [&str; 7] =
    ["no runtime", "current-thread", "one worker", "four workers", "inside async", "inside Drop", "at exit"];
const CELLS: usize = KINDS.len() * WAYS.len();
const AT_EXIT: usize = WAYS.len() - 1;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, kind, variant, url, deadline] = &arguments[..]
        && word == "end"
    {
        return end(kind.parse()?, variant.parse()?, url, Duration::from_millis(deadline.parse()?));
    }
    let option = |name: &str, default: u64| {
        let given = arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
        given.map_or(Ok(default), |given| given.parse())
    };
    let deadline = Duration::from_millis(option("--deadline-ms", 200)?);
    let slack = Duration::from_millis(option("--slack-ms", 100)?);
    let trials = usize::try_from(option("--trials", 10_000)?)?;
    measure(trials, deadline, slack, usize::try_from(option("--at-once", 8)?)?)
}

/// What one trial saw.
struct Seen {
    took: Took,
    /// The second shutdown, which has no time.
    again: Duration,
    counts: Counts,
}

/// What became of the spans: recorded, exported, dropped, pending.
type Counts = [u64; 4];

fn counts(stats: &Stats) -> Counts {
    [stats.recorded, stats.exported(), stats.dropped(), stats.pending()]
}

#[derive(Default)]
struct Cell {
    trials: usize,
    within: usize,
    longest: Duration,
    counts: Counts,
}

fn measure(trials: usize, deadline: Duration, slack: Duration, at_once: usize) -> Result<(), Failure> {
    silence();
    let stage = Arc::new(Stage::new(deadline)?);
    // A process for each of them, so they are fewer.
    let exits = (trials / 160).max(1);
    let others = trials.saturating_sub(exits * KINDS.len()).div_ceil(CELLS - KINDS.len()).max(1);
    let plan: Vec<usize> = (0..others.max(exits) * CELLS)
        .filter(|n| n / CELLS < if n % CELLS / KINDS.len() == AT_EXIT { exits } else { others })
        .collect();
    let (next, cells, complaints) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()), Mutex::new(Vec::new()));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(&n) = plan.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (kind, way, round) = (n % KINDS.len(), n % CELLS / KINDS.len(), n / CELLS);
                    let seen = watched(&stage, kind, way, round, deadline + slack);
                    let fault = |seen: &Seen| fault(seen, deadline, slack);
                    let complaint = seen.as_ref().map_or_else(|text| Some(text.clone()), fault);
                    if let Some(text) = complaint {
                        complaints.lock().unwrap().push(format!("{}, {}: {text}", KINDS[kind], WAYS[way]));
                    }
                    let mut cells = cells.lock().unwrap();
                    let cell: &mut Cell = cells.entry((kind, way)).or_default();
                    cell.trials += 1;
                    if let Ok(seen) = seen {
                        cell.within += usize::from(seen.took.elapsed <= deadline + slack);
                        cell.longest = cell.longest.max(seen.took.elapsed);
                        cell.counts.iter_mut().zip(seen.counts).for_each(|(sum, count)| *sum += count);
                    }
                }
            });
        }
    });
    let cells = cells.into_inner()?;
    print(&cells);
    let (within, all) = cells.values().fold((0, 0), |sum, cell| (sum.0 + cell.within, sum.1 + cell.trials));
    let complaints = complaints.into_inner()?;
    println!(
        "{within} of {all} within {} ms + {} ms; {} complaint(s); {} s, {at_once} at once",
        deadline.as_millis(),
        slack.as_millis(),
        complaints.len(),
        began.elapsed().as_secs()
    );
    complaints.iter().for_each(|text| println!("{text}"));
    if within == all && complaints.is_empty() { Ok(()) } else { Err("not every shutdown was as it should be".into()) }
}

fn print(cells: &BTreeMap<(usize, usize), Cell>) {
    print!("{:10}", "");
    WAYS.iter().for_each(|way| print!(" | {way:>16}"));
    println!();
    for (kind, name) in KINDS.iter().enumerate() {
        print!("{name:10}");
        for way in 0..WAYS.len() {
            let Some(Cell { trials, within, longest, .. }) = cells.get(&(kind, way)) else { continue };
            print!(" | {:>16}", format!("{within}/{trials} {:.1} ms", longest.as_secs_f64() * 1e3));
        }
        println!();
    }
    for (kind, name) in KINDS.iter().enumerate() {
        let of_kind = cells.range((kind, 0)..(kind + 1, 0)).map(|(_, cell)| cell.counts);
        let [recorded, exported, dropped, pending] =
            of_kind.fold([0; 4], |sum, counts| std::array::from_fn(|n| sum[n] + counts[n]));
        println!("{name:10} recorded {recorded} = exported {exported} + dropped {dropped} + pending {pending}");
    }
}

/// What must not be.
fn fault(seen: &Seen, deadline: Duration, slack: Duration) -> Option<String> {
    let Seen { took, again, counts } = seen;
    let [recorded, exported, dropped, pending] = *counts;
    if recorded < 10 || recorded != exported + dropped + pending {
        return Some(format!("recorded, exported, dropped, pending do not add up: {counts:?}"));
    }
    if *again > slack {
        return Some(format!("a second shutdown took {} ms", again.as_millis()));
    }
    // What the rest of the machine takes is not the shutdown's.
    let [took, starved] = [took.elapsed, took.starved].map(|time| time.as_millis());
    let text = || format!("it took {took} ms, of which its thread was runnable and had no processor for {starved} ms");
    (seen.took.elapsed > deadline + slack).then(text)
}

#[derive(Clone, Copy)]
struct Took {
    elapsed: Duration,
    /// How long its thread was ready to run, and others ran.
    starved: Duration,
}

impl Took {
    fn begin() -> (Instant, Duration) {
        (Instant::now(), starved())
    }

    fn since((began, before): (Instant, Duration)) -> Self {
        Self { elapsed: began.elapsed(), starved: starved().saturating_sub(before) }
    }
}

/// How long this thread has waited for a processor so far.
fn starved() -> Duration {
    let figures = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(figures.split(' ').nth(1).and_then(|figure| figure.parse().ok()).unwrap_or_default())
}

/// Runs a trial on a thread of its own, and does not wait for it for ever.
fn watched(stage: &Arc<Stage>, kind: usize, way: usize, round: usize, limit: Duration) -> Result<Seen, String> {
    let (done, ended) = channel();
    let shared = Arc::clone(stage);
    let trial = move || done.send(shared.trial(kind, way, round).map_err(|error| error.to_string()));
    std::thread::Builder::new().spawn(trial).map_err(|error| error.to_string())?;
    ended.recv_timeout(limit + Duration::from_secs(60)).map_err(|error| format!("it hangs: {error}"))?
}

/// What all trials share.
struct Stage {
    backends: [Backend; 4],
    /// Has a port that nobody listens at.
    nobody: TcpStream,
    folder: Folder,
    deadline: Duration,
}

impl Stage {
    fn new(deadline: Duration) -> Result<Self, Failure> {
        let backends = [Mood::Healthy, Mood::Away, Mood::Hung, Mood::Dripping].map(Backend::start);
        let nobody = TcpStream::connect(backends[0].url().trim_start_matches("http://"))?;
        Ok(Self { backends, nobody, folder: Folder::new(), deadline })
    }

    fn url(&self, kind: usize, round: usize) -> Result<String, Failure> {
        Ok(match self.backends.get(kind) {
            // It refuses the request, or there is nobody.
            Some(_) if KINDS[kind] == "refusing" && round % 2 == 1 => format!("http://{}", self.nobody.local_addr()?),
            Some(backend) => backend.url(),
            None => String::new(),
        })
    }

    fn trial(&self, kind: usize, way: usize, round: usize) -> Result<Seen, Failure> {
        let url = self.url(kind, round)?;
        if way == AT_EXIT {
            return self.exit(kind, round, &url);
        }
        // The exporter that blocks goes on when the other end is dropped.
        let (held, _holds) = UnixStream::pair()?;
        let tracer = builder(kind, &url, self.deadline, held).build()?;
        let trial = Trial { tracer, deadline: self.deadline };
        let took = match WAYS[way] {
            "no runtime" => {
                trial.record();
                trial.shutdown()
            }
            "current-thread" => trial.beside(RuntimeBuilder::new_current_thread().enable_all().build()?),
            "one worker" => trial.beside(runtime(1)?),
            "four workers" => trial.beside(runtime(4)?),
            "inside async" => trial.inside(match round % 3 {
                0 => RuntimeBuilder::new_current_thread().enable_all().build()?,
                1 => runtime(1)?,
                _ => runtime(4)?,
            })?,
            _ => trial.inside_drop(round)?,
        };
        let began = Instant::now();
        let _ = tracer.shutdown(Duration::ZERO);
        let again = began.elapsed();
        Ok(Seen { took, again, counts: counts(&tracer.stats()) })
    }

    fn exit(&self, kind: usize, round: usize, url: &str) -> Result<Seen, Failure> {
        let arguments = [kind, round % EXITS].map(|n| n.to_string());
        let deadline = self.deadline.as_millis().to_string();
        let program = std::env::current_exe()?.display().to_string();
        let arguments = ["end", &arguments[0], &arguments[1], url, &deadline];
        let output = process::run(process::command(&program, &self.folder, &arguments, &[]));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let fields: Vec<u64> = text.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        let [elapsed, starved, again, recorded, exported, dropped, pending] = fields[..] else {
            return Err(format!("{}: {text} {}", output.status, String::from_utf8_lossy(&output.stderr)).into());
        };
        if !output.status.success() {
            return Err(output.status.to_string().into());
        }
        let [elapsed, starved, again] = [elapsed, starved, again].map(Duration::from_micros);
        Ok(Seen { took: Took { elapsed, starved }, again, counts: [recorded, exported, dropped, pending] })
    }
}

#[derive(Clone, Copy)]
struct Trial {
    tracer: Tracer,
    deadline: Duration,
}

impl Trial {
    fn record(self) {
        self.tracer.context().within(|| (0..10).for_each(|_| tracing::with_span("op", |_| ())));
    }

    fn shutdown(self) -> Took {
        let began = Took::begin();
        let _ = self.tracer.shutdown(self.deadline);
        Took::since(began)
    }

    /// With spans of the tasks of a runtime, which goes on.
    fn beside(self, runtime: Runtime) -> Took {
        let tasks = [(); 4].map(|()| runtime.spawn(async move { self.record() }));
        runtime.block_on(async {
            for task in tasks {
                let _ = task.await;
            }
        });
        keep_busy(&runtime);
        let took = runtime.block_on(async { self.shutdown() });
        runtime.shutdown_background();
        took
    }

    /// In a task, with a span open.
    fn inside(self, runtime: Runtime) -> Result<Took, Failure> {
        keep_busy(&runtime);
        let task = runtime.spawn(async move {
            let open = self.tracer.context().within(|| tracing::span("open").start());
            self.record();
            tokio::task::yield_now().await;
            let took = self.shutdown();
            drop(open);
            took
        });
        let took = runtime.block_on(task)?;
        runtime.shutdown_background();
        Ok(took)
    }

    /// At the end of a scope, of a panic, or of a thread.
    fn inside_drop(self, round: usize) -> Result<Took, Failure> {
        let (said, heard) = channel();
        let guard = Guard { trial: self, took: said };
        match round % 4 {
            0 => {
                let _guard = guard;
                self.record();
            }
            1 => {
                let panicked = std::thread::spawn(move || {
                    let _guard = guard;
                    self.record();
                    panic!("{BY_THE_TRIAL}");
                });
                let _ = panicked.join();
            }
            // Before and after what the recorder keeps for this thread.
            variant => {
                let ended = std::thread::spawn(move || {
                    if variant == 2 {
                        self.record();
                    }
                    AT_THREAD_END.set(Some(guard));
                    self.record();
                });
                let _ = ended.join();
            }
        }
        Ok(heard.recv()?)
    }
}

struct Guard {
    trial: Trial,
    took: Sender<Took>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.took.send(self.trial.shutdown());
    }
}

thread_local! {
    static AT_THREAD_END: RefCell<Option<Guard>> = const { RefCell::new(None) };
}

fn runtime(workers: usize) -> std::io::Result<Runtime> {
    RuntimeBuilder::new_multi_thread().worker_threads(workers).enable_all().build()
}

fn keep_busy(runtime: &Runtime) {
    runtime.spawn(async {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

/// A tracer whose backend is of this kind.
fn builder(kind: usize, url: &str, deadline: Duration, held: UnixStream) -> Builder {
    match KINDS[kind] {
        "panicking" => tracing::builder().exporter("panics", || Panicking),
        "blocked" => {
            let held = Mutex::new(Some(held));
            tracing::builder().exporter("blocks", move || Blocking(held.lock().unwrap().take()))
        }
        _ => {
            // Far more than the deadline, but not for ever: connections would pile up.
            let timeout = deadline.as_millis() * 10;
            let config = format!("endpoint = '{url}'\nproxy = 'none'\ntimeout_ms = {timeout}\n");
            let config = format!("type = 'otlp'\n[provider.otlp]\n{config}");
            tracing::builder().register(OtlpFactory).default_config(config).read_configuration()
        }
    }
}

struct Panicking;

impl SpanExporter for Panicking {
    fn export(&mut self, _: &SpanBatch<'_>) -> Result<(), tracing::Error> {
        panic!("{BY_THE_TRIAL}")
    }
}

/// In a system call, until the other end is closed.
struct Blocking(Option<UnixStream>);

impl SpanExporter for Blocking {
    fn export(&mut self, _: &SpanBatch<'_>) -> Result<(), tracing::Error> {
        if let Some(stream) = &mut self.0 {
            let _ = stream.read(&mut [0])?;
        }
        Ok(())
    }
}

const BY_THE_TRIAL: &str = "by the trial";

/// What is expected is not told ten thousand times.
fn silence() {
    tracing::diagnostics::set_handler(Box::new(|_: Level, _: &str| ()));
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.to_string().contains(BY_THE_TRIAL) {
            before(info);
        }
    }));
}

/// How many ways there are for a process to end.
const EXITS: usize = 4;

static BEGAN: OnceLock<(Instant, Duration)> = OnceLock::new();

fn end(kind: usize, variant: usize, url: &str, deadline: Duration) -> Result<(), Failure> {
    silence();
    // What is registered first runs last.
    // SAFETY: the handler is a plain function that lives as long as the process.
    if unsafe { libc::atexit(say_at_exit) } != 0 {
        return Err("the exit handler is refused".into());
    }
    let (held, holds) = UnixStream::pair()?;
    std::mem::forget(holds);
    let builder = builder(kind, url, deadline, held).shutdown_timeout(deadline).flush_on_signals(variant > 0);
    let guard = builder.install()?;
    (0..10).for_each(|_| tracing::with_span("op", |_| ()));
    match variant {
        // `main` returns.
        0 => {
            BEGAN.get_or_init(Took::begin);
            drop(guard);
            return Ok(());
        }
        1 => {}
        2 => {
            let runtime = runtime(1)?;
            keep_busy(&runtime);
            let task = runtime.spawn(async { exit() });
            let _ = runtime.block_on(task);
        }
        _ => drop(std::thread::spawn(|| exit()).join()),
    }
    exit()
}

fn exit() -> ! {
    BEGAN.get_or_init(Took::begin);
    std::process::exit(0)
}

extern "C" fn say_at_exit() {
    let Some(began) = BEGAN.get() else { return };
    let took = Took::since(*began);
    let began = Instant::now();
    let _ = tracing::shutdown(Duration::ZERO);
    let again = began.elapsed();
    let [elapsed, starved, again] = [took.elapsed, took.starved, again].map(|time| time.as_micros());
    let [recorded, exported, dropped, pending] = counts(&tracing::stats());
    let counts = format!("{recorded} {exported} {dropped} {pending}");
    let _ = writeln!(std::io::stdout(), "{elapsed} {starved} {again} {counts}");
}
