//! Plugins: from a name to a provider in a dynamic library.
//!
//! ```text
//! settings ─► search (places, manifest) ─► permissions ─► digest ─► object ─► metadata ─► verified ─► Candidate
//! ```
//!
//! All that can be known of a file is known before any of its code runs. Then:
//!
//! ```text
//! Candidate ─► library (dlopen, descriptor) ─► factory (create) ─► instance ─► exporter, live
//! ```

mod settings;

mod places;
mod search;

mod candidate;
mod digest;
mod manifest;
mod metadata;
mod object;
mod permissions;
mod verified;

mod privileged;
mod trace;

mod library;

mod factory;
mod host;
mod instance;

mod exporter;
mod live;

pub(crate) mod inspect;

#[cfg(test)]
mod testing;

pub(crate) use digest::parse as parse_digest;
pub use factory::Plugin;
pub(crate) use factory::open;
pub(crate) use search::available;
pub(crate) use settings::{LoaderSettings, NamedPlugin, check_absolute, is_name, is_path};
