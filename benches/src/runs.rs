//! Starts a process for each figure, and prints what they say.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arguments::Options;
use crate::json::Measured;
use crate::results::Results;
use crate::subjects::Subject;
use crate::workloads::Workload;
use crate::{Failure, burst, callgrind, chart, plugin, table};

/// What is asked for, measured and printed.
pub(crate) fn measure(options: &Options) -> Result<(), Failure> {
    if options.instructions {
        callgrind::check()?;
    }
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: the figures say nothing; use `cargo run --release`");
    }
    let cells = cells(options);
    let loads = cells.iter().any(|(_, subject)| *subject == Subject::SpandrelPlugin);
    let plugin = loads.then(plugin::build).transpose()?;
    let mut results = Results::default();
    // Round by round, so that what else the machine does meets all alike.
    for round in 1..=options.rounds {
        for (workload, subject) in &cells {
            let measured = cell(*workload, *subject, plugin.as_deref())?;
            let least = measured.nanos.iter().copied().fold(f64::INFINITY, f64::min);
            let (rounds, lost) = (options.rounds, lost(&measured));
            eprintln!("round {round}/{rounds}: {} {} {least:.1} ns{lost}", workload.name(), subject.name());
            results.add(*workload, *subject, measured);
        }
    }
    if options.instructions {
        for (workload, subject) in &cells {
            let instructions = callgrind::instructions(*workload, *subject, plugin.as_deref())?;
            eprintln!("callgrind: {} {} {instructions:.0} instructions", workload.name(), subject.name());
            results.add_instructions(*workload, *subject, instructions);
        }
    }
    results.burst = burst::measure(options)?;

    if options.json {
        results.figures().iter().for_each(|figure| println!("{}", figure.to_json()));
        results.burst.iter().for_each(|burst| println!("{}", burst.to_json()));
    } else {
        print!("{}", table::render(&results));
    }
    if let Some(folder) = &options.chart {
        chart::write(&results, folder)?;
    }
    Ok(())
}

fn cells(options: &Options) -> Vec<(Workload, Subject)> {
    let all = Workload::ALL.into_iter().flat_map(|workload| Subject::ALL.map(|subject| (workload, subject)));
    all.filter(|(workload, subject)| subject.has(*workload) && options.only.has(workload.name(), subject.name()))
        .collect()
}

fn cell(workload: Workload, subject: Subject, plugin: Option<&Path>) -> Result<Measured, Failure> {
    let plugin = plugin.map(|path| [PathBuf::from("--plugin"), path.to_owned()]);
    let output = Command::new(std::env::current_exe()?)
        .args(["cell", workload.name(), subject.name()])
        .args(plugin.into_iter().flatten())
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{}` of `{}` failed: {said}", workload.name(), subject.name()).into());
    }
    Measured::from_json(&String::from_utf8(output.stdout)?)
}

fn lost(measured: &Measured) -> String {
    match measured.lost {
        0 => String::new(),
        lost => format!(" (lost {lost} spans)"),
    }
}
