//! What a program may rely on when a provider comes from a dynamic library, whatever that
//! library does.

#![cfg(unix)]

mod misbehaving;

mod errors;
mod refused;
mod tables;

mod context;
mod deadlines;
mod host;
mod other_host;
mod sampling;
mod several;

mod processes;
