//! What the quickstart says at its end.

use std::fmt::{self, Write};
use std::path::PathBuf;

use spandrel::{Report, Stats};
use spandrel_provider_memory::MemoryStore;

use crate::customers::Visits;
use crate::tree::{self, SpanLine};

const COMMAND: &str = "cargo run --release --bin quickstart";

/// The file of the provider `file`, and where in it this run begins.
pub(crate) struct TraceFile {
    path: PathBuf,
    begin: u64,
}

impl TraceFile {
    /// Looks before the first span is written.
    pub(crate) fn at_start() -> Self {
        let path = std::env::var_os("TRACING_PROVIDER__FILE__PATH").filter(|path| !path.is_empty());
        let path = path.map_or_else(|| PathBuf::from("traces.jsonl"), PathBuf::from);
        let path = std::path::absolute(&path).unwrap_or(path);
        let begin = std::fs::metadata(&path).map_or(0, |file| file.len());
        Self { path, begin }
    }

    /// The spans of this run; none if a configuration file says another path or format.
    fn spans(&self) -> Vec<SpanLine> {
        // Not for a device, which may have no end.
        let bytes = if self.path.is_file() { std::fs::read(&self.path).unwrap_or_default() } else { Vec::new() };
        let begin = usize::try_from(self.begin).ok().filter(|begin| *begin <= bytes.len());
        tree::read_otlp(&String::from_utf8_lossy(&bytes[begin.unwrap_or(0)..]))
    }
}

/// The traces, and what became of spans and requests.
pub(crate) struct Summary<'a> {
    pub(crate) report: &'a Report,
    pub(crate) visits: &'a Visits,
    pub(crate) file: &'a TraceFile,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { report, visits, file } = self;
        let names: Vec<&str> = report.providers.iter().flat_map(|(name, _)| name.split(',')).collect();
        let is_used = |name| names.contains(&name);

        if is_used("memory") {
            let spans = MemoryStore::shared().spans();
            f.write_str(&tree::render(&spans.iter().map(SpanLine::from).collect::<Vec<_>>()))?;
        } else if is_used("file") && !is_used("console") {
            f.write_str(&tree::render(&file.spans()))?;
        }
        for (name, stats) in &report.providers {
            f.write_str(&accounts(name, stats))?;
        }
        if is_used("noop") {
            writeln!(f, "spans     none recorded: the provider is `noop`, or tracing is switched off")?;
        }
        if is_used("file") {
            writeln!(f, "traces    {}", file.path.display())?;
        }
        let Visits { answered, failed, unexpected } = visits;
        let sent = *answered as usize + *failed as usize + unexpected.len();
        writeln!(
            f,
            "requests  {sent} sent: {answered} ok, {failed} failed as intended, {} went wrong",
            unexpected.len()
        )?;
        for text in unexpected {
            writeln!(f, "          {text}")?;
        }
        writeln!(f, "\nTry next:")?;
        writeln!(f, "  TRACING_TYPE=console {COMMAND}")?;
        writeln!(f, "  TRACING_TYPE=memory {COMMAND}")?;
        writeln!(f, "  TRACING_SAMPLER=ratio TRACING_SAMPLER_ARG=0.1 {COMMAND}")
    }
}

/// A line for each place where the spans of a provider go.
fn accounts(name: &str, stats: &Stats) -> String {
    let mut lines = String::new();
    let verdict = if stats.is_balanced() { "balanced" } else { "NOT balanced" };
    for branch in &stats.branches {
        let (exported, dropped, pending) = (branch.exported, branch.dropped.total(), branch.pending);
        let recorded = stats.recorded;
        let name = if branch.name.is_empty() { name } else { &branch.name };
        let _ = writeln!(
            lines,
            "spans     {name}: {recorded} recorded = {exported} exported + {dropped} dropped + {pending} pending, {verdict}"
        );
    }
    lines
}
