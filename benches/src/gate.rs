//! Fails when a span costs more instructions than is written down.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::subjects::Subject;
use crate::workloads::Workload;
use crate::{Failure, callgrind};

/// What a count may grow or shrink by.
const TOLERANCE: f64 = 0.03;

const COMPILER: &str = env!("RUSTC_VERSION");

/// Compares, or writes the file.
pub(crate) fn run(update: bool) -> Result<ExitCode, Failure> {
    callgrind::check()?;
    let counts = count()?;
    let path = path();
    if update {
        std::fs::write(&path, write(&counts))?;
        println!("written to benches/instructions.txt");
        return Ok(ExitCode::SUCCESS);
    }
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("benches/instructions.txt cannot be read ({error}); `gate --update` writes it"))?;
    let verdict = compare(&Committed::parse(&text)?, &counts);
    print!("{}", verdict.table);
    match verdict.failure {
        Some(failure) => {
            eprintln!("{failure}");
            Ok(ExitCode::FAILURE)
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt")
}

type Counts = Vec<(String, f64)>;

fn count() -> Result<Counts, Failure> {
    let of = |workload: Workload| {
        eprintln!("counting the instructions of `{}`", workload.name());
        callgrind::instructions(workload, Subject::Spandrel, None)
    };
    let mut counts = Counts::new();
    for workload in
        [Workload::Off, Workload::OffAttrs, Workload::SampledOut, Workload::Root, Workload::Full, Workload::LlmCall]
    {
        counts.push((workload.name().to_owned(), of(workload)?));
    }
    let (ten, hundred) = (of(Workload::Children10)?, of(Workload::Children100)?);
    counts.push(("child".to_owned(), (hundred - ten) / 90.0));
    Ok(counts)
}

/// The file.
#[derive(Debug, PartialEq)]
struct Committed {
    compiler: String,
    counts: Counts,
}

impl Committed {
    fn parse(text: &str) -> Result<Self, Failure> {
        let mut committed = Self { compiler: "unknown".to_owned(), counts: Counts::new() };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let malformed = || format!("benches/instructions.txt has a line that is no name and value: `{line}`");
            let (name, value) = line.split_once(' ').ok_or_else(malformed)?;
            match name {
                "compiler" => value.clone_into(&mut committed.compiler),
                name => committed.counts.push((name.to_owned(), value.trim().parse().map_err(|_| malformed())?)),
            }
        }
        Ok(committed)
    }
}

fn write(counts: &Counts) -> String {
    let mut text = String::from(
        "# Instructions of one operation of the subject `spandrel`, counted by callgrind; see README.md.\n\
         # Written by `cargo run --release -p spandrel-bench -- gate --update`.\n",
    );
    let _ = writeln!(text, "compiler {COMPILER}");
    counts.iter().for_each(|(name, count)| {
        let _ = writeln!(text, "{name} {count:.1}");
    });
    text
}

struct Verdict {
    table: String,
    failure: Option<String>,
}

fn compare(committed: &Committed, counts: &Counts) -> Verdict {
    let mut table = format!("{:<14} {:>10} {:>10} {:>8}\n", "instructions", "committed", "now", "change");
    let (mut grown, mut shrunk) = (Vec::new(), Vec::new());
    for (name, now) in counts {
        let known = committed.counts.iter().find(|(known, _)| known == name);
        let Some((_, before)) = known else {
            let _ = writeln!(table, "{name:<14} {:>10} {now:>10.1} {:>8}", "-", "new");
            grown.push(format!("`{name}` is not in the file"));
            continue;
        };
        let change = (now - before) / before;
        let _ = writeln!(table, "{name:<14} {before:>10.1} {now:>10.1} {:>+7.1}%", change * 100.0);
        if change > TOLERANCE {
            grown.push(format!("`{name}` takes {now:.1} instructions, {before:.1} before"));
        } else if change < -TOLERANCE {
            shrunk.push(format!("`{name}`"));
        }
    }
    let Committed { compiler, .. } = committed;
    if !shrunk.is_empty() {
        let names = shrunk.join(", ");
        let _ = writeln!(
            table,
            "{names} takes over 3 % less than benches/instructions.txt says: renew it with `gate --update`."
        );
    }
    let failure = (!grown.is_empty()).then(|| {
        let grown = grown.join("; ");
        format!(
            "More than 3 % over benches/instructions.txt: {grown}. The file was made with {compiler}, this is {COMPILER}. \
             If the code or the compiler must cost that, renew the file with `cargo run --release -p spandrel-bench -- gate --update`."
        )
    });
    Verdict { table, failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, f64)]) -> Counts {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    fn committed(of: &[(&str, f64)]) -> Committed {
        Committed { compiler: "rustc 1.2.3".to_owned(), counts: counts(of) }
    }

    #[test]
    fn three_percent_are_let_through() {
        let verdict =
            compare(&committed(&[("root", 1000.0), ("full", 2000.0)]), &counts(&[("root", 1029.0), ("full", 1950.0)]));
        assert_eq!(verdict.failure, None);
        assert!(verdict.table.contains("+2.9%") && !verdict.table.contains("renew"), "{}", verdict.table);
    }

    #[test]
    fn more_fails_with_both_counts_and_compilers() {
        let verdict = compare(&committed(&[("root", 1000.0)]), &counts(&[("root", 1031.0)]));
        let failure = verdict.failure.expect("it has grown");
        assert!(failure.contains("`root` takes 1031.0 instructions, 1000.0 before"), "{failure}");
        assert!(failure.contains("made with rustc 1.2.3, this is rustc "), "{failure}");
        assert!(failure.contains("gate --update"), "{failure}");
    }

    #[test]
    fn less_asks_for_a_new_file() {
        let verdict = compare(&committed(&[("root", 1000.0)]), &counts(&[("root", 900.0)]));
        assert_eq!(verdict.failure, None);
        assert!(verdict.table.contains("`root` takes over 3 % less"), "{}", verdict.table);
    }

    #[test]
    fn a_workload_without_a_count_fails() {
        let verdict = compare(&committed(&[]), &counts(&[("root", 900.0)]));
        assert!(verdict.failure.expect("it is missing").contains("`root` is not in the file"));
    }

    #[test]
    fn the_file_is_read_as_it_was_written() {
        let counts = counts(&[("off", 16.0), ("child", 321.5)]);
        let read = Committed::parse(&write(&counts)).expect("it is whole");
        assert_eq!(read, Committed { compiler: COMPILER.to_owned(), counts });
        assert!(Committed::parse("root many").is_err());
    }
}
