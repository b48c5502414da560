use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::failure::{EXIT_CODES, Failure};
use crate::output::{Output, OutputArguments};
use crate::{config, convert, doctor, init, plugin, prices, probe, show, stats, tail};

/// Traces, configuration and plugins of Spandrel
#[derive(Parser)]
#[command(name = "spandrel", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write a configuration with all settings, commented
    Init(init::Arguments),
    /// Say what is in force and from where, start the provider and send one span
    Doctor(doctor::Arguments),
    /// Check and show the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// List, check, install and make plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Show what calls of models cost; check and replace prices
    #[command(subcommand)]
    Prices(prices::Command),
    /// Show traces as trees
    Show(show::Arguments),
    /// Count spans by name and kind, with errors and percentiles of their durations
    Stats(stats::Arguments),
    /// Show spans as they are written
    Tail(tail::Arguments),
    /// Convert traces between formats
    Convert(convert::Arguments),
    /// Print completions for a shell
    Completions { shell: Shell },
    /// What other commands start in a process of its own
    #[command(hide = true)]
    Probe(probe::Arguments),
}

impl Command {
    pub(crate) fn run(&self, output: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Init(arguments) => init::run(arguments, output),
            Self::Doctor(arguments) => doctor::run(arguments, output),
            Self::Config(command) => config::run(command, output),
            Self::Plugin(command) => plugin::run(command, output),
            Self::Prices(command) => prices::run(command, output),
            Self::Show(arguments) => show::run(arguments, output),
            Self::Stats(arguments) => stats::run(arguments, output),
            Self::Tail(arguments) => tail::run(arguments, output),
            Self::Convert(arguments) => convert::run(arguments, output),
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut Cli::command(), "spandrel", &mut script);
                output.text(&String::from_utf8_lossy(&script))
            }
            Self::Probe(arguments) => probe::run(arguments, output),
        }
    }
}
