use std::collections::BTreeMap;

use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::filter::Filter;
use crate::input::Input;
use crate::output::{Output, Style};
use crate::show::is_error;
use crate::text::{duration, shown};

#[derive(Args)]
#[command(after_help = "Percentiles are durations of spans that are there (nearest rank).")]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,
    /// What comes first
    #[arg(long, value_name = "COLUMN", default_value = "count")]
    sort: Sort,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sort {
    Name,
    Count,
    Errors,
    P50,
    P95,
    P99,
    Max,
}

/// Spans of one name and kind.
#[derive(Default)]
struct Group {
    errors: u64,
    /// Sorted, once all are there.
    durations: Vec<u64>,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let mut groups: BTreeMap<&'static str, BTreeMap<String, Group>> = BTreeMap::new();
    arguments.input.read_spans(&mut |span| {
        if !arguments.filter.fits(span) {
            return;
        }
        // A call has a span on either side, mostly with one name.
        let groups = groups.entry(span.kind().as_str()).or_default();
        if !groups.contains_key(span.name()) {
            groups.insert(span.name().to_owned(), Group::default());
        }
        if let Some(group) = groups.get_mut(span.name()) {
            group.errors += u64::from(is_error(span));
            group.durations.push(span.duration_nanos());
        }
    })?;
    let of_kind = |(kind, groups): (&'static str, BTreeMap<String, Group>)| {
        groups.into_iter().map(move |(name, group)| (name, kind, group))
    };
    let mut groups: Vec<Row> = groups.into_iter().flat_map(of_kind).collect();
    groups.iter_mut().for_each(|(.., group)| group.durations.sort_unstable());
    groups.sort_by(|(name, kind, _), (other, other_kind, _)| (name, kind).cmp(&(other, other_kind)));
    let key = |group: &Group| match arguments.sort {
        Sort::Name => 0,
        Sort::Count => group.durations.len() as u64,
        Sort::Errors => group.errors,
        Sort::P50 => group.percentile(50),
        Sort::P95 => group.percentile(95),
        Sort::P99 => group.percentile(99),
        Sort::Max => group.percentile(100),
    };
    // Stable, so that equals stay in the order of their names.
    groups.sort_by_key(|(.., group)| std::cmp::Reverse(key(group)));
    if output.json { write(&groups, output) } else { print(&groups, output) }?;
    match groups.is_empty() {
        true if arguments.filter.is_empty() => Err(Failure::NotWell("there is no span".to_owned())),
        true => Err(Failure::NotWell("no span fits the filters".to_owned())),
        false => Ok(()),
    }
}

impl Group {
    /// The smallest duration that so many percent of all do not exceed.
    fn percentile(&self, percent: usize) -> u64 {
        let rank = (self.durations.len() * percent).div_ceil(100).max(1);
        self.durations.get(rank - 1).copied().unwrap_or(0)
    }
}

/// A name, a kind, and their spans.
type Row = (String, &'static str, Group);

fn print(groups: &[Row], output: &mut Output) -> Result<(), Failure> {
    if groups.is_empty() {
        return Ok(());
    }
    let heads = format!(
        "{:>8} {:>7} {:>8} {:>8} {:>8} {:>8}  {:<8}  name",
        "count", "errors", "p50", "p95", "p99", "max", "kind"
    );
    output.line(&[(Style::Dim, &heads)])?;
    for (name, kind, group) in groups {
        let [p50, p95, p99, max] = [50, 95, 99, 100].map(|percent| duration(group.percentile(percent)));
        let failed = if group.errors > 0 { Style::Bad } else { Style::Plain };
        output.line(&[
            (Style::Plain, &format!("{:>8} ", group.durations.len())),
            (failed, &format!("{:>7}", group.errors)),
            (Style::Plain, &format!(" {p50:>8} {p95:>8} {p99:>8} {max:>8}  {kind:<8}  ")),
            (Style::Bold, &shown(name)),
        ])?;
    }
    Ok(())
}

fn write(groups: &[Row], output: &mut Output) -> Result<(), Failure> {
    output.object(|document| {
        document.array("names", |all| {
            for (name, kind, group) in groups {
                all.object(|object| {
                    object.text("name", name);
                    object.text("kind", kind);
                    object.number("count", group.durations.len() as u64);
                    object.number("errors", group.errors);
                    for (key, percent) in [("p50_ns", 50), ("p95_ns", 95), ("p99_ns", 99), ("max_ns", 100)] {
                        object.number(key, group.percentile(percent));
                    }
                });
            }
        });
    })
}

#[cfg(test)]
mod tests {
    use super::Group;

    #[test]
    fn percentiles_are_durations_that_are_there() {
        let group = |count: u64| Group { errors: 0, durations: (1..=count).collect() };
        for (count, percent, expected) in
            [(0, 50, 0), (1, 99, 1), (2, 50, 1), (3, 50, 2), (100, 95, 95), (100, 99, 99), (1000, 99, 990), (7, 100, 7)]
        {
            assert_eq!(group(count).percentile(percent), expected, "{count} {percent}");
        }
    }
}
