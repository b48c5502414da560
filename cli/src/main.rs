//! The command `spandrel`: traces, configuration and plugins from the command line.
//!
//! ```text
//! files ─► input (any format to OTLP bytes) ─► filter ─► show, stats, tail, convert
//! configuration ─► config, doctor, plugin; what runs other people's code is a child: probe
//! ```
#![forbid(unsafe_code)]

mod arguments;
mod failure;
mod output;

// From a file to spans.
mod calls;
mod filter;
mod input;
mod otlp_json;
mod parallel;
mod progress;
mod store;
mod text;
mod zipkin;

// The commands.
mod checks;
mod chrome;
mod config;
mod convert;
mod doctor;
mod init;
mod plugin;
mod prices;
mod probe;
mod show;
mod stats;
mod tail;
mod tree;
mod warnings;

use std::process::ExitCode;

use clap::Parser;

use arguments::Cli;
use output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::new(&cli.output);
    let result = cli.command.run(&mut output);
    // What was written before something went wrong is seen, too.
    let finished = output.finish();
    match result.and(finished) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
