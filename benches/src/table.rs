//! The table that is printed.

use std::fmt::Write;

use crate::burst::{self, BurstResult};
use crate::results::{Figure, Results};
use crate::subjects::Subject;

/// Workloads down, subjects across; three or four lines for each workload.
pub(crate) fn render(results: &Results) -> String {
    let mut text = String::new();
    let figures = results.figures();
    if !figures.is_empty() {
        text += &render_figures(&figures);
    }
    if !results.burst.is_empty() {
        text += &render_burst(&results.burst);
    }
    text
}

const FIRST: usize = 22;
const OTHERS: usize = 10;

fn render_figures(figures: &[Figure]) -> String {
    let mut text =
        String::from("Nanoseconds of CPU time of the recording thread for one operation: the least of all chunks,\n");
    text += "below it their median; then heap allocations of the whole process.\n";
    text += "`peer / ours`: the least of the published ones that make their spans current, divided by `spandrel`;\n";
    text += "`raw / ours`: the least of those that do not.\n\n";
    let has = |subject: &Subject| figures.iter().any(|figure| figure.subject == *subject);
    let subjects: Vec<Subject> = Subject::ALL.into_iter().filter(has).collect();
    let heads: Vec<Vec<&str>> = subjects.iter().map(|subject| subject.name().split('-').collect()).collect();
    for line in 0..heads.iter().map(Vec::len).max().unwrap_or(0) {
        let words = heads.iter().map(|head| head.get(line).copied().unwrap_or_default().to_owned());
        let ratios = [["peer", "raw"], ["/ ours", "/ ours"]].get(line).copied().unwrap_or_default();
        row(&mut text, "", words.chain(ratios.map(str::to_owned)));
    }

    let mut workloads: Vec<&str> = Vec::new();
    figures.iter().for_each(|figure| {
        if !workloads.contains(&figure.workload) {
            workloads.push(figure.workload);
        }
    });
    for workload in workloads {
        let of =
            |subject: &Subject| figures.iter().find(|figure| figure.workload == workload && figure.subject == *subject);
        let cells = |show: &dyn Fn(&Figure) -> String| -> Vec<String> {
            subjects.iter().map(|subject| of(subject).map_or_else(|| "-".to_owned(), show)).collect()
        };
        text.push('\n');
        let ratios = [Subject::is_peer, Subject::is_raw_peer]
            .map(|of| ratio(figures, workload, of).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}x")));
        row(&mut text, workload, cells(&|figure| nanos(figure.ns_min)).into_iter().chain(ratios));
        row(&mut text, "  median", cells(&|figure| nanos(figure.ns_median)));
        row(&mut text, "  allocations", cells(&|figure| small(figure.allocations)));
        if figures.iter().any(|figure| figure.workload == workload && figure.instructions.is_some()) {
            let count = |figure: &Figure| figure.instructions.map_or_else(|| "-".to_owned(), |n| format!("{n:.0}"));
            row(&mut text, "  instructions", cells(&count));
        }
    }
    let lossy: Vec<&Figure> = figures.iter().filter(|figure| figure.lost > 0).collect();
    if !lossy.is_empty() {
        text += "\nSpans that did not reach the exporter:";
        for figure in lossy {
            let _ = write!(text, " {} of {} {};", figure.workload, figure.subject.name(), figure.lost);
        }
        text.push('\n');
    }
    text
}

/// The best of these in a workload, against ours.
fn ratio(figures: &[Figure], workload: &str, of: fn(Subject) -> bool) -> Option<f64> {
    let of_workload = || figures.iter().filter(|figure| figure.workload == workload);
    let ours = of_workload().find(|figure| figure.subject == Subject::Spandrel)?;
    let best = of_workload().filter(|figure| of(figure.subject)).map(|figure| figure.ns_min);
    best.min_by(f64::total_cmp).map(|best| best / ours.ns_min)
}

fn render_burst(results: &[BurstResult]) -> String {
    let mut text = format!(
        "\n{} spans as in `full`, from one thread at full speed, to an OTLP/HTTP receiver in another process.\n\
         CPU time is that of all threads of the sending process. Ranges are over the runs.\n\n",
        results.first().map_or(0, |result| result.sent)
    );
    let heads = ["delivered", "lost", "caller ns", "CPU ns", "M spans", "memory", "bytes", ""];
    row(&mut text, "burst", heads.map(str::to_owned));
    let heads = ["%", "spans", "/ span", "/ deliv.", "/ CPU s", "MiB", "/ span", "  is the loss told?"];
    row(&mut text, "", heads.map(str::to_owned));
    for sender in burst::Sender::ALL {
        let runs: Vec<&BurstResult> = results.iter().filter(|result| result.sender == sender).collect();
        if runs.is_empty() {
            continue;
        }
        let range = |of: &dyn Fn(&BurstResult) -> f64, show: fn(f64) -> String| {
            let least = runs.iter().map(|run| of(run)).fold(f64::INFINITY, f64::min);
            let most = runs.iter().map(|run| of(run)).fold(f64::NEG_INFINITY, f64::max);
            let (least, most) = (show(least), show(most));
            if least == most { least } else { format!("{least}-{most}") }
        };
        let cells = [
            range(&|run| run.delivered_share() * 100.0, |share| format!("{}", share.floor())),
            range(&|run| run.lost() as f64, thousands),
            range(&|run| run.caller_ns, |ns| format!("{ns:.0}")),
            range(&BurstResult::cpu_ns_per_delivered, |ns| format!("{ns:.0}")),
            range(&|run| run.delivered_per_cpu_second() / 1e6, |spans| format!("{spans:.2}")),
            range(&|run| run.memory as f64 / f64::from(1 << 20), |mebibytes| format!("{mebibytes:.0}")),
            range(&BurstResult::bytes_per_span, |bytes| format!("{bytes:.0}")),
            format!("  {}", sender.tells_loss()),
        ];
        row(&mut text, sender.name(), cells);
    }
    text
}

fn row(text: &mut String, first: &str, others: impl IntoIterator<Item = String>) {
    let mut line = format!("{first:<FIRST$}");
    others.into_iter().for_each(|cell| {
        let _ = write!(line, " {cell:>OTHERS$}");
    });
    let _ = writeln!(text, "{}", line.trim_end());
}

pub(crate) fn nanos(nanos: f64) -> String {
    match nanos.abs() {
        small if small < 10.0 => format!("{nanos:.2}"),
        small if small < 100.0 => format!("{nanos:.1}"),
        _ => format!("{nanos:.0}"),
    }
}

fn small(count: f64) -> String {
    let text = format!("{count:.2}");
    text.trim_end_matches('0').trim_end_matches('.').replace("-0", "0")
}

fn thousands(count: f64) -> String {
    if count < 10_000.0 { format!("{count:.0}") } else { format!("{:.0}k", count / 1000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Measured;
    use crate::workloads::Workload;

    fn results() -> Results {
        let mut results = Results::default();
        let measured = |ns: f64| Measured { nanos: vec![ns], process_nanos: ns, allocations: 2.0, lost: 0 };
        results.add(Workload::Root, Subject::Spandrel, measured(40.0));
        results.add(Workload::Root, Subject::Otel, measured(320.0));
        results.add(Workload::Root, Subject::Closure, measured(0.32));
        results
    }

    #[test]
    fn workloads_go_down_and_subjects_across() {
        let table = render(&results());
        let root = table.lines().find(|line| line.starts_with("root")).expect("a line for the workload");
        assert_eq!(root.split_whitespace().collect::<Vec<_>>(), ["root", "0.32", "40.0", "320", "8.0x", "-"]);
        assert!(table.contains("  median") && table.contains("  allocations"), "{table}");
        assert!(!table.contains("instructions"), "{table}");
    }

    #[test]
    fn a_closure_is_no_peer() {
        assert_eq!(ratio(&results().figures(), "root", Subject::is_peer), Some(8.0));
        assert_eq!(ratio(&results().figures(), "root", Subject::is_raw_peer), None);
        assert_eq!(ratio(&results().figures(), "full", Subject::is_peer), None);
    }
}
