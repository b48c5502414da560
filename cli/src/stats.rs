use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use spandrel_plugin_api::SpanReader;

use crate::calls::{ByModel, Calls, count_call};
use crate::failure::Failure;
use crate::filter::Filter;
use crate::input::Input;
use crate::output::{Output, Style};
use crate::show::is_error;
use crate::text::{duration, shown};

#[derive(Args)]
#[command(after_help = "Percentiles are durations of spans that are there (nearest rank).\n\
                  Calls of language models have a table of their own, with tokens and cost.")]
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

/// What is counted of some spans.
#[derive(Default)]
struct Found {
    groups: BTreeMap<&'static str, BTreeMap<String, Group>>,
    models: ByModel,
}

impl Found {
    /// Counts the spans of a batch that fit, or says why it cannot be read.
    fn of(batch: &[u8], filter: &Filter) -> Result<Self, String> {
        let mut found = Self::default();
        for span in SpanReader::new(&[batch]) {
            let span = span.map_err(|error| error.message().to_owned())?;
            if filter.fits(&span) {
                // A call has a span on either side, mostly with one name.
                let groups = found.groups.entry(span.kind().as_str()).or_default();
                if !groups.contains_key(span.name()) {
                    groups.insert(span.name().to_owned(), Group::default());
                }
                if let Some(group) = groups.get_mut(span.name()) {
                    group.errors += u64::from(is_error(&span));
                    group.durations.push(span.duration_nanos());
                }
                count_call(&span, &mut found.models);
            }
        }
        Ok(found)
    }

    fn add(&mut self, other: Self) {
        for (kind, groups) in other.groups {
            for (name, group) in groups {
                let all = self.groups.entry(kind).or_default().entry(name).or_default();
                all.errors += group.errors;
                all.durations.extend(group.durations);
            }
        }
        for (model, calls) in other.models {
            self.models.entry(model).or_default().add(&calls);
        }
    }
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let mut all = Found::default();
    arguments.input.read_as(&|batch| Found::of(&batch, &arguments.filter), &mut |found| {
        all.add(found);
        Ok(())
    })?;
    let Found { groups, models } = all;
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
    if output.json {
        write(&groups, &models, output)?;
    } else {
        print(&groups, output)?;
        print_models(&models, output)?;
    }
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

/// The table of the models, and the sum of all if there are several; nothing if nothing was called.
fn print_models(models: &ByModel, output: &mut Output) -> Result<(), Failure> {
    if models.is_empty() {
        return Ok(());
    }
    let heads = format!(
        "{:>8} {:>7} {:>12} {:>12} {:>12} {:>14}  model",
        "calls", "errors", "tokens in", "cached", "tokens out", "USD"
    );
    output.text("\n")?;
    output.line(&[(Style::Dim, &heads)])?;
    let mut line = |name: &str, calls: &Calls| {
        let failed = if calls.errors > 0 { Style::Bad } else { Style::Plain };
        // Of nothing but unknown costs there is no sum, rather than a sum of 0.
        let (cost, note) = match calls.unpriced {
            0 => (calls.cost.to_string(), String::new()),
            all if all == calls.calls => ("-".to_owned(), String::new()),
            some => (calls.cost.to_string(), format!("  {some} without cost")),
        };
        let Calls { input, cached, output: out, .. } = calls;
        output.line(&[
            (Style::Plain, &format!("{:>8} ", calls.calls)),
            (failed, &format!("{:>7}", calls.errors)),
            (Style::Plain, &format!(" {input:>12} {cached:>12} {out:>12} {cost:>14}  ")),
            (Style::Bold, name),
            (Style::Dim, &note),
        ])
    };
    for ((provider, model), calls) in by_cost(models) {
        let model = if model.is_empty() { "(no model told)" } else { model };
        let provider = if provider.is_empty() { String::new() } else { format!("{provider}/") };
        line(&shown(&format!("{provider}{model}")), calls)?;
    }
    if models.len() > 1 {
        let mut all = Calls::default();
        models.values().for_each(|calls| all.add(calls));
        line("all", &all)?;
    }
    Ok(())
}

/// What cost most comes first.
fn by_cost(models: &ByModel) -> Vec<(&(String, String), &Calls)> {
    let mut all: Vec<_> = models.iter().collect();
    // Stable, so that equals stay in the order of their names.
    all.sort_by_key(|(_, calls)| std::cmp::Reverse((calls.cost.get(), calls.calls)));
    all
}

fn write(groups: &[Row], models: &ByModel, output: &mut Output) -> Result<(), Failure> {
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
        if models.is_empty() {
            return;
        }
        document.array("models", |all| {
            for ((provider, model), calls) in by_cost(models) {
                all.object(|object| {
                    for (key, name) in [("provider", provider), ("model", model)] {
                        if name.is_empty() { object.null(key) } else { object.text(key, name) }
                    }
                    object.number("calls", calls.calls);
                    object.number("errors", calls.errors);
                    object.number("input_tokens", calls.input);
                    object.number("cached_tokens", calls.cached);
                    object.number("output_tokens", calls.output);
                    match calls.unpriced == calls.calls {
                        true => object.null("cost_usd"),
                        false => object.float("cost_usd", calls.cost.as_usd()),
                    }
                    object.number("calls_without_cost", calls.unpriced);
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
