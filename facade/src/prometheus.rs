use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use spandrel_plugin_api::{BranchStats, Stats, diagnostics};

use crate::global;
use crate::redaction::redactions;

/// What became of the spans so far, of all providers that were installed, in the text
/// format of Prometheus: for the route `/metrics` of a service.
///
/// Providers of one name count together, so that nothing goes back when a configuration is
/// loaded again.
///
/// | metric | labels |
/// |---|---|
/// | `spandrel_spans_recorded_total`, `spandrel_provider_panics_total` | `provider` |
/// | `spandrel_spans_exported_total`, `spandrel_spans_recovered_total` | `exporter` |
/// | `spandrel_spans_dropped_total` | `exporter`, `reason` |
/// | `spandrel_spans_pending`, `spandrel_spans_spooled`, `spandrel_queue_bytes` (gauges) | `exporter` |
/// | `spandrel_exports_total`, `spandrel_export_retries_total`, `spandrel_export_seconds_total` | `exporter` |
/// | `spandrel_export_last_seconds`, `spandrel_export_last_error` (1, gauges) | `exporter`; of the second `error`, too |
/// | `spandrel_redactions_total`: what [`redactions`](crate::redactions) has | `category` |
/// | `spandrel_notices_total`: what [`diagnostics::counters`] has | `name` |
///
/// ```
/// let text = spandrel::prometheus();
/// assert!(text.starts_with("# HELP spandrel_spans_recorded_total "));
/// ```
///
/// Source: Prometheus text exposition format, version 0.0.4.
#[must_use]
pub fn prometheus() -> String {
    let all = global::installed().all.clone();
    let providers: Vec<(&str, Stats)> = all.iter().map(|tracer| (tracer.name(), tracer.stats())).collect();
    let mut page = render(&providers, &diagnostics::counters());
    page.counter("spandrel_redactions_total", "Secrets that were redacted.");
    redactions().into_iter().for_each(|(category, count)| page.sample(&[("category", category)], count));
    page.text
}

fn render(providers: &[(&str, Stats)], notices: &BTreeMap<String, u64>) -> Page {
    let mut by_provider: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut by_exporter: BTreeMap<&str, Vec<&BranchStats>> = BTreeMap::new();
    for (name, stats) in providers {
        let sums = by_provider.entry(name).or_default();
        sums.0 += stats.recorded;
        sums.1 += stats.panics;
        for branch in &stats.branches {
            by_exporter.entry(&branch.name).or_default().push(branch);
        }
    }
    let mut page = Page { text: String::new() };
    let of_provider = |pick: fn(&(u64, u64)) -> u64| by_provider.iter().map(move |(name, sums)| (*name, pick(sums)));
    page.counter("spandrel_spans_recorded_total", "Sampled spans that ended.");
    of_provider(|sums| sums.0).for_each(|(name, count)| page.sample(&[("provider", name)], count));
    page.counter("spandrel_provider_panics_total", "Calls into a provider that panicked.");
    of_provider(|sums| sums.1).for_each(|(name, count)| page.sample(&[("provider", name)], count));

    for (metric, help, pick) in COUNTERS {
        page.counter(metric, help);
        for (name, branches) in &by_exporter {
            page.sample(&[("exporter", name)], branches.iter().map(|branch| pick(branch)).sum::<u64>());
        }
    }
    page.counter("spandrel_spans_dropped_total", "Spans that were lost.");
    for (name, branches) in &by_exporter {
        let reasons = branches.iter().map(|branch| branch.dropped.reasons());
        let sums = reasons.reduce(|mut sums, next| {
            sums.iter_mut().zip(next).for_each(|(sum, (_, count))| sum.1 += count);
            sums
        });
        for (reason, count) in sums.into_iter().flatten() {
            page.sample(&[("exporter", name), ("reason", &reason.replace(' ', "_"))], count);
        }
    }
    page.counter("spandrel_export_seconds_total", "The time that exports took.");
    for (name, branches) in &by_exporter {
        page.sample(&[("exporter", name)], branches.iter().map(|b| b.export_time).sum::<Duration>().as_secs_f64());
    }
    for (metric, help, pick) in GAUGES {
        page.gauge(metric, help);
        for (name, branches) in &by_exporter {
            page.sample(&[("exporter", name)], branches.iter().map(|branch| pick(branch)).sum::<u64>());
        }
    }
    page.gauge("spandrel_export_last_seconds", "The time that the last export took.");
    for (name, branch) in latest(&by_exporter) {
        page.sample(&[("exporter", name)], branch.last_export_time.as_secs_f64());
    }
    page.gauge("spandrel_export_last_error", "What the last export that failed said; always 1.");
    for (name, branch) in latest(&by_exporter).filter(|(_, branch)| !branch.last_error.is_empty()) {
        page.sample(&[("exporter", name), ("error", &branch.last_error)], 1);
    }
    page.counter("spandrel_notices_total", "Things worth counting besides spans.");
    notices.iter().for_each(|(name, count)| page.sample(&[("name", name)], count));
    page
}

/// A metric, what it says, and where it stands.
type Row = (&'static str, &'static str, fn(&BranchStats) -> u64);

const COUNTERS: [Row; 4] = [
    ("spandrel_spans_exported_total", "Spans that the exporter accepted.", |branch| branch.exported),
    ("spandrel_spans_recovered_total", "Spans of earlier processes, found on disk.", |branch| branch.recovered),
    ("spandrel_exports_total", "Batches that the exporter was called with.", |branch| branch.exports),
    ("spandrel_export_retries_total", "Of these, how many are tried again, or were.", |branch| branch.retries),
];

const GAUGES: [Row; 3] = [
    ("spandrel_spans_pending", "Spans that wait, are with the exporter, or lie on disk.", |branch| branch.pending),
    ("spandrel_spans_spooled", "Of these, how many lie on disk.", |branch| branch.spooled),
    ("spandrel_queue_bytes", "Memory of the spans that wait.", |branch| branch.queue_bytes),
];

/// Of each exporter the branch that was installed last and has exported something.
fn latest<'a>(all: &'a BTreeMap<&str, Vec<&BranchStats>>) -> impl Iterator<Item = (&'a str, &'a BranchStats)> {
    all.iter().filter_map(|(name, branches)| {
        let latest = branches.iter().rev().find(|branch| branch.exports > 0).or_else(|| branches.last())?;
        Some((*name, *latest))
    })
}

struct Page {
    text: String,
}

impl Page {
    fn counter(&mut self, metric: &str, help: &str) {
        self.head(metric, help, "counter");
    }

    fn gauge(&mut self, metric: &str, help: &str) {
        self.head(metric, help, "gauge");
    }

    // Writing into memory does not fail.
    fn head(&mut self, metric: &str, help: &str, kind: &str) {
        let _ = writeln!(self.text, "# HELP {metric} {help}\n# TYPE {metric} {kind}");
    }

    /// A value of the metric whose head was written last.
    fn sample(&mut self, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let head = self.text.rfind("# TYPE ").map_or("", |at| &self.text[at + "# TYPE ".len()..]);
        let metric = head.split(' ').next().unwrap_or_default().to_owned();
        let labels: Vec<String> = labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
        let _ = writeln!(self.text, "{metric}{{{}}} {value}", labels.join(","));
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use spandrel_plugin_api::{BranchStats, Stats};

    use super::render;

    fn stats(recorded: u64, exported: u64, error: &str) -> Stats {
        let mut branch = BranchStats::default();
        branch.name = "otlp".to_owned();
        branch.exported = exported;
        branch.dropped.queue_full = recorded - exported;
        branch.exports = u64::from(exported > 0);
        branch.export_time = Duration::from_millis(250);
        branch.last_export_time = Duration::from_millis(250);
        branch.last_error = error.to_owned();
        let mut stats = Stats::default();
        stats.recorded = recorded;
        stats.branches = vec![branch];
        stats
    }

    #[test]
    fn providers_of_one_name_count_together() {
        let providers =
            [("otlp", stats(5, 4, "say \"a\\b\"\nc")), ("file,otlp", stats(3, 3, "")), ("otlp", stats(2, 0, ""))];
        let page = render(&providers, &BTreeMap::from([("propagation.over_limit".to_owned(), 7)])).text;
        for line in [
            "spandrel_spans_recorded_total{provider=\"otlp\"} 7",
            "spandrel_spans_recorded_total{provider=\"file,otlp\"} 3",
            "spandrel_provider_panics_total{provider=\"otlp\"} 0",
            "spandrel_spans_exported_total{exporter=\"otlp\"} 7",
            "spandrel_spans_dropped_total{exporter=\"otlp\",reason=\"queue_full\"} 3",
            "spandrel_spans_dropped_total{exporter=\"otlp\",reason=\"provider_panicked\"} 0",
            "spandrel_export_seconds_total{exporter=\"otlp\"} 0.75",
            "spandrel_export_last_seconds{exporter=\"otlp\"} 0.25",
            "spandrel_spans_pending{exporter=\"otlp\"} 0",
            "spandrel_notices_total{name=\"propagation.over_limit\"} 7",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }

    #[test]
    fn each_line_is_of_the_format() {
        let page = render(&[("otlp", stats(5, 4, "say \"a\\b\"\nc"))], &BTreeMap::new()).text;
        let error = r#"spandrel_export_last_error{exporter="otlp",error="say \"a\\b\"\nc"} 1"#;
        assert!(page.lines().any(|line| line == error), "{page}");
        let mut metric = "";
        for line in page.lines() {
            if let Some(head) = line.strip_prefix("# TYPE ") {
                let (name, kind) = head.split_once(' ').unwrap();
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                metric = name;
            } else if !line.starts_with("# HELP ") {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(series.strip_prefix(metric).is_some_and(|labels| labels.starts_with('{')), "{line}");
                assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            }
        }
    }
}
