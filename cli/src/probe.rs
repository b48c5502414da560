//! A provider at work for one span, in a process of its own: a plugin that crashes
//! takes nobody else down.
//!
//! The child prints a line before and after each step, so that it is known where it ended.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use spandrel::{Error, ErrorKind, Sampler, Tracer};

use crate::failure::{Failure, explained};
use crate::output::Output;
use crate::warnings;

#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    config: Option<PathBuf>,
    #[arg(long)]
    provider: Option<String>,
    #[arg(long)]
    no_span: bool,
    #[arg(long)]
    timeout_ms: u64,
}

/// What a step came to.
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) time: Duration,
    /// What there is to say, or what went wrong.
    pub(crate) result: Result<String, String>,
    pub(crate) warnings: Vec<String>,
}

/// A line of the child's own, not of its provider.
const MARK: &str = "spandrel-probe ";

/// The steps, in the child.
pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    warnings::keep();
    let deadline = Duration::from_millis(arguments.timeout_ms);
    let mut tracer = None;
    step(output, "start", || {
        let mut builder = spandrel::builder().read_configuration().sampler(Sampler::always_on());
        if let Some(path) = &arguments.config {
            builder = builder.config_file(path);
        }
        if let Some(provider) = &arguments.provider {
            builder = builder.provider_type(provider);
        }
        let built = builder.build()?;
        tracer = Some(built);
        Ok(built.name().to_owned())
    })?;
    let Some(tracer) = tracer else { return Ok(()) };
    let mut deadline = deadline;
    if !arguments.no_span {
        step(output, "span", || Ok(send(tracer)))?;
        if !step(output, "flush", || acknowledged(tracer, deadline))? {
            // It was given its time.
            deadline = deadline.min(Duration::from_millis(500));
        }
    }
    step(output, "shutdown", || tracer.shutdown(deadline).map(|()| tracer.stats().to_string())).map(drop)
}

/// Sends a span; the id of its trace.
fn send(tracer: Tracer) -> String {
    tracer.context().within(|| {
        spandrel::span("spandrel doctor")
            .attribute("spandrel.version", env!("CARGO_PKG_VERSION"))
            .run(|_| spandrel::current().map(|context| context.trace_id().to_string()).unwrap_or_default())
    })
}

/// Whether the span has arrived, as far as its provider can tell.
fn acknowledged(tracer: Tracer, deadline: Duration) -> Result<String, Error> {
    let flushed = tracer.flush(deadline);
    let stats = tracer.stats();
    let arrived = flushed.and_then(|()| match stats.dropped() + stats.pending() + stats.spooled() {
        0 => Ok(stats.to_string()),
        _ => Err(Error::new(ErrorKind::SpansLost, format!("the span has not arrived: {stats}"))),
    });
    arrived.map_err(|mut error| {
        for branch in stats.branches.iter().filter(|branch| !branch.last_error.is_empty()) {
            if error.contexts().all(|(_, known)| known != branch.last_error) {
                error = error.with_context("last error", &branch.last_error);
            }
        }
        error
    })
}

/// Tells of a step; whether it went well.
fn step(output: &mut Output, name: &str, work: impl FnOnce() -> Result<String, Error>) -> Result<bool, Failure> {
    tell(output, &json!({ "begin": name }))?;
    let start = Instant::now();
    let result = work().map_err(|error| explained(&error));
    let micros = start.elapsed().as_micros();
    let is_well = result.is_ok();
    let (key, text) = match result {
        Ok(text) => ("ok", text),
        Err(text) => ("failed", text),
    };
    tell(output, &json!({ "end": name, "us": micros as u64, key: text, "warnings": warnings::take() }))?;
    Ok(is_well)
}

fn tell(output: &mut Output, line: &Value) -> Result<(), Failure> {
    output.text(&format!("{MARK}{line}\n"))?;
    output.flush()
}

/// What the child is asked for.
#[derive(Default)]
pub(crate) struct Probe<'a> {
    pub(crate) config: Option<PathBuf>,
    pub(crate) provider: Option<&'a str>,
    pub(crate) no_span: bool,
    pub(crate) timeout: Duration,
}

impl Probe<'_> {
    /// Runs the steps in a child. The last one tells how far it came.
    pub(crate) fn run(&self) -> Result<Vec<Step>, Failure> {
        let cannot =
            |error: std::io::Error| Failure::Io(format!("cannot start a process to try the provider in: {error}"));
        let program = std::env::current_exe().map_err(cannot)?;
        let mut command = Command::new(program);
        command.arg("probe").arg("--timeout-ms").arg(self.timeout.as_millis().to_string());
        if let Some(path) = &self.config {
            command.arg("--config").arg(path);
        }
        if let Some(provider) = self.provider {
            command.arg("--provider").arg(provider);
        }
        if self.no_span {
            command.arg("--no-span");
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(cannot)?;
        let lines = lines(&mut child);
        let mut steps = Vec::new();
        let mut under_way: Option<String> = None;
        // Longer than the child's own deadlines, which say more.
        let patience = self.timeout.saturating_mul(2).saturating_add(Duration::from_secs(5));
        loop {
            match lines.recv_timeout(patience) {
                Ok(line) => note(&line, &mut steps, &mut under_way),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    // It is ours; if it has ended meanwhile, nothing is lost.
                    let _ = child.kill();
                    let _ = child.wait();
                    steps.push(ended_in(under_way, format!("it has not returned after {patience:?}")));
                    return Ok(steps);
                }
            }
        }
        let status = child.wait().map_err(cannot)?;
        let was_cut = under_way.is_some() || !status.success();
        if was_cut {
            steps.push(ended_in(under_way, format!("the process ended {}", how(status))));
        }
        Ok(steps)
    }
}

fn ended_in(step: Option<String>, text: String) -> Step {
    let name = step.unwrap_or_else(|| "end".to_owned());
    Step { name, time: Duration::ZERO, result: Err(text), warnings: Vec::new() }
}

/// The lines that the child prints, from a thread of their own.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(out) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

fn note(line: &str, steps: &mut Vec<Step>, under_way: &mut Option<String>) {
    let Some(event) = line.strip_prefix(MARK).and_then(|line| serde_json::from_str::<Value>(line).ok()) else {
        // Of the provider, as the spans of `console` may be.
        eprintln!("{}", crate::text::shown(line));
        return;
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if event["begin"].is_string() {
        *under_way = Some(text(&event["begin"]));
        return;
    }
    *under_way = None;
    let warnings = event["warnings"].as_array().into_iter().flatten().map(text).collect();
    let time = Duration::from_micros(event["us"].as_u64().unwrap_or(0));
    let result = if event["failed"].is_string() { Err(text(&event["failed"])) } else { Ok(text(&event["ok"])) };
    steps.push(Step { name: text(&event["end"]), time, result, warnings });
}

/// How a process ended, with the name of the usual signals.
#[cfg(unix)]
fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;

    const NAMES: [(i32, &str); 7] = [
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (15, "SIGTERM"),
    ];
    match (status.signal(), status.code()) {
        (Some(signal), _) => match NAMES.iter().find(|(number, _)| *number == signal) {
            Some((_, name)) => format!("by signal {signal} ({name})"),
            None => format!("by signal {signal}"),
        },
        (None, Some(code)) => format!("with exit code {code}"),
        (None, None) => "in an unknown way".to_owned(),
    }
}

#[cfg(not(unix))]
fn how(status: ExitStatus) -> String {
    format!("with {status}")
}
