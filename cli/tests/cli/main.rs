//! The command, run as its users run it.

mod config;
mod convert;
mod doctor;
mod plugin;
mod prices;
mod show;
mod stats;
mod support;
mod tail;
