//! What recording a span costs, measured beside others. See `README.md`.

#![deny(unsafe_code)]

// What one types.
mod arguments;

// What is measured.
mod subjects;
mod workloads;

// Within one process for each figure.
mod allocations;
mod burst;
mod cell;
mod clock;
mod receiver;

// What goes wrong, here and there.
mod pains;

// The process that starts those and puts their figures together.
mod callgrind;
mod chart;
mod gate;
mod json;
mod plugin;
mod results;
mod runs;
mod table;

use std::process::ExitCode;

use arguments::Command;

/// What went wrong, as a sentence.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match arguments::parse(std::env::args().skip(1)).and_then(run) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("spandrel-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Help => print!("{}", arguments::HELP),
        Command::List => print!("{}", arguments::list()),
        Command::Measure(options) => runs::measure(&options)?,
        Command::Gate { update } => return gate::run(update),
        Command::Pains => return pains::show(),
        Command::Cell(cell) => cell::run(cell)?,
        Command::Burst(burst) => burst::send(burst)?,
        Command::Pain(pain, bearer) => pains::run(pain, bearer)?,
        Command::Receive => receiver::run()?,
    }
    Ok(ExitCode::SUCCESS)
}
