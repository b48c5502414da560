//! The command line.

use std::path::PathBuf;

use crate::Failure;
use crate::burst::{self, BurstArguments, Sender};
use crate::cell::CellArguments;
use crate::pains::{Bearer, Pain};
use crate::subjects::Subject;
use crate::workloads::{DERIVED, Workload};

pub(crate) const HELP: &str = "\
What recording a span costs: Spandrel beside others, in one table.

usage: spandrel-bench [options]
       spandrel-bench gate [--update]
       spandrel-bench pains

  --only WORD[,WORD]  these workloads, these subjects (see --list); all unless given
  --rounds N          processes for each figure; 5 unless given
  --spans N           spans of the workload `burst`; 1000000 unless given
  --instructions      counts instructions under callgrind, too; needs valgrind
  --json              one JSON object for each figure instead of the table
  --chart DIR         draws spans.svg and spans.png into this directory
  --list              says what is measured
  --help              says this

gate compares the instructions of Spandrel with benches/instructions.txt, and fails if one
count has grown by more than 3 %; with --update it writes that file.

pains shows what arrives and what is said when a program ends without shutdown, when nobody
listens, and when there is no runtime: OpenTelemetry beside Spandrel.
";

pub(crate) enum Command {
    Help,
    List,
    Measure(Options),
    Gate {
        update: bool,
    },
    Pains,
    /// These are what the program calls itself with.
    Cell(CellArguments),
    Burst(BurstArguments),
    Pain(Pain, Bearer),
    Receive,
}

pub(crate) struct Options {
    pub(crate) only: Only,
    pub(crate) rounds: usize,
    pub(crate) spans: u64,
    pub(crate) instructions: bool,
    pub(crate) json: bool,
    pub(crate) chart: Option<PathBuf>,
}

/// The workloads and subjects that were asked for; all if none was.
#[derive(Debug, Default)]
pub(crate) struct Only {
    workloads: Vec<&'static str>,
    subjects: Vec<&'static str>,
}

impl Only {
    pub(crate) fn parse(words: &str) -> Result<Self, Failure> {
        let mut only = Self::default();
        for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            if let Some(derived) = DERIVED.iter().find(|derived| derived.name == word) {
                only.workloads.extend([derived.from.name(), derived.less.name()]);
            } else if let Some(name) = workload_names().find(|name| *name == word) {
                only.workloads.push(name);
            } else if let Some(name) = subject_names().find(|name| *name == word) {
                only.subjects.push(name);
            } else {
                let derived = DERIVED.iter().map(|derived| derived.name);
                let workloads: Vec<_> = workload_names().chain(derived).collect();
                let subjects: Vec<_> = subject_names().collect();
                return Err(format!(
                    "`--only` knows no `{word}`; workloads: {}; subjects: {}",
                    workloads.join(", "),
                    subjects.join(", ")
                )
                .into());
            }
        }
        Ok(only)
    }

    pub(crate) fn has(&self, workload: &str, subject: &str) -> bool {
        (self.workloads.is_empty() || self.workloads.contains(&workload))
            && (self.subjects.is_empty() || self.subjects.contains(&subject))
    }
}

fn workload_names() -> impl Iterator<Item = &'static str> {
    Workload::ALL.into_iter().map(Workload::name).chain([burst::NAME])
}

fn subject_names() -> impl Iterator<Item = &'static str> {
    let senders = Sender::ALL.into_iter().map(Sender::name);
    let senders = senders.filter(|name| Subject::ALL.iter().all(|subject| subject.name() != *name));
    Subject::ALL.into_iter().map(Subject::name).chain(senders)
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, Failure> {
    let mut arguments = arguments.into_iter().peekable();
    let hidden =
        arguments.next_if(|word| ["gate", "pains", "cell", "burst", "pain", "receive"].contains(&word.as_str()));
    match hidden.as_deref() {
        Some("gate") => parse_gate(arguments),
        Some("cell") => parse_cell(arguments),
        Some("burst") => parse_burst(arguments),
        Some("pain") => parse_pain(arguments),
        Some("pains") => match arguments.next() {
            Some(other) => Err(format!("pains has no option `{other}`").into()),
            None => Ok(Command::Pains),
        },
        Some(_) => Ok(Command::Receive),
        None => parse_options(arguments),
    }
}

fn parse_options(mut arguments: impl Iterator<Item = String>) -> Result<Command, Failure> {
    let mut options =
        Options { only: Only::default(), rounds: 5, spans: 1_000_000, instructions: false, json: false, chart: None };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--only" => options.only = Only::parse(&value("--only", &mut arguments)?)?,
            "--rounds" => options.rounds = usize::try_from(number("--rounds", &mut arguments)?)?.max(1),
            "--spans" => options.spans = number("--spans", &mut arguments)?.max(1),
            "--instructions" => options.instructions = true,
            "--json" => options.json = true,
            "--chart" => options.chart = Some(value("--chart", &mut arguments)?.into()),
            "--list" => return Ok(Command::List),
            "--help" | "-h" => return Ok(Command::Help),
            other => return Err(format!("there is no option `{other}`; `--help` lists them").into()),
        }
    }
    Ok(Command::Measure(options))
}

fn parse_gate(arguments: impl Iterator<Item = String>) -> Result<Command, Failure> {
    let mut update = false;
    for argument in arguments {
        match argument.as_str() {
            "--update" => update = true,
            other => return Err(format!("gate has no option `{other}`, only `--update`").into()),
        }
    }
    Ok(Command::Gate { update })
}

fn parse_cell(mut arguments: impl Iterator<Item = String>) -> Result<Command, Failure> {
    let workload = value("cell", &mut arguments)?;
    let subject = value("cell", &mut arguments)?;
    let workload = Workload::ALL.into_iter().find(|known| known.name() == workload);
    let subject = Subject::ALL.into_iter().find(|known| known.name() == subject);
    let (Some(workload), Some(subject)) = (workload, subject) else {
        return Err("usage: spandrel-bench cell WORKLOAD SUBJECT [--operations N] [--plugin PATH]".into());
    };
    let mut cell = CellArguments { workload, subject, operations: None, plugin: None };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--operations" => cell.operations = Some(number("--operations", &mut arguments)?),
            "--plugin" => cell.plugin = Some(value("--plugin", &mut arguments)?.into()),
            other => return Err(format!("cell has no option `{other}`").into()),
        }
    }
    Ok(Command::Cell(cell))
}

fn parse_burst(mut arguments: impl Iterator<Item = String>) -> Result<Command, Failure> {
    let sender = value("burst", &mut arguments)?;
    let sender = Sender::ALL.into_iter().find(|known| known.name() == sender);
    let sender = sender.ok_or("usage: spandrel-bench burst SUBJECT ADDRESS SPANS")?;
    let address = value("burst", &mut arguments)?;
    let spans = number("burst", &mut arguments)?;
    Ok(Command::Burst(BurstArguments { sender, address, spans }))
}

fn parse_pain(mut arguments: impl Iterator<Item = String>) -> Result<Command, Failure> {
    let (pain, bearer) = (value("pain", &mut arguments)?, value("pain", &mut arguments)?);
    let pain = Pain::ALL.into_iter().find(|known| known.name() == pain);
    let bearer = Bearer::ALL.into_iter().find(|known| known.name() == bearer);
    match (pain, bearer) {
        (Some(pain), Some(bearer)) => Ok(Command::Pain(pain, bearer)),
        _ => Err("usage: spandrel-bench pain PAIN otel|spandrel".into()),
    }
}

fn value(option: &str, arguments: &mut impl Iterator<Item = String>) -> Result<String, Failure> {
    arguments.next().ok_or_else(|| format!("`{option}` needs a value").into())
}

fn number(option: &str, arguments: &mut impl Iterator<Item = String>) -> Result<u64, Failure> {
    let value = value(option, arguments)?;
    value.parse().map_err(|_| format!("`{option}` needs a number, not `{value}`").into())
}

/// What there is, one a line.
pub(crate) fn list() -> String {
    let mut lines = vec!["workloads".to_owned()];
    lines.extend(Workload::ALL.iter().map(|workload| line(workload.name(), workload.about())));
    lines
        .push(line(burst::NAME, "many spans as in `full`, at full speed, to an OTLP/HTTP receiver in another process"));
    lines.push("workloads that are differences".to_owned());
    lines.extend(DERIVED.iter().map(|derived| line(derived.name, derived.about)));
    lines.push("subjects".to_owned());
    lines.extend(Subject::ALL.iter().map(|subject| line(subject.name(), subject.about())));
    lines.push("subjects of `burst`".to_owned());
    lines.extend(Sender::ALL.iter().map(|sender| line(sender.name(), sender.about())));
    lines.join("\n") + "\n"
}

fn line(name: &str, about: &str) -> String {
    format!("  {name:<18} {about}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_is_refused_with_what_there_is() {
        let failure = Only::parse("root,foo").expect_err("there is no foo").to_string();
        assert!(failure.starts_with("`--only` knows no `foo`; workloads: off, off-attrs, "), "{failure}");
        assert!(failure.contains("child, one-more-poll"), "{failure}");
        assert!(failure.contains("; subjects: closure, log, floor, spandrel, "), "{failure}");
    }

    #[test]
    fn words_select() {
        let only = Only::parse("child, spandrel").expect("both are known");
        assert!(only.has("children-10", "spandrel") && only.has("children-100", "spandrel"));
        assert!(!only.has("root", "spandrel") && !only.has("children-10", "otel"));
        assert!(Only::default().has("root", "otel"));
    }

    #[test]
    fn options_need_values_that_fit() {
        let fails = |words: &[&str]| {
            let parsed = parse(words.iter().map(|word| (*word).to_owned()));
            parsed.err().map(|failure| failure.to_string()).unwrap_or_default()
        };
        assert_eq!(fails(&["--rounds"]), "`--rounds` needs a value");
        assert_eq!(fails(&["--rounds", "many"]), "`--rounds` needs a number, not `many`");
        assert_eq!(fails(&["--fast"]), "there is no option `--fast`; `--help` lists them");
        assert_eq!(fails(&["pains", "--fast"]), "pains has no option `--fast`");
        assert_eq!(fails(&["gate", "--fast"]), "gate has no option `--fast`, only `--update`");
    }
}
