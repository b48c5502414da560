//! Backends that are away, slow, broken, or take a part: what is delivered, what is counted, and
//! what is told.

mod blocked;
mod chaos;
mod retries;
mod shutdowns;
mod spool;
mod support;
