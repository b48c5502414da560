//! Every provider keeps what all of them promise, linked into the program and loaded from
//! a library.

mod linked;
mod loaded;

mod compared;

mod journal;
