//! Whether a plugin was compiled with the same types of the boundary as its host.
//!
//! With the feature `layout-check` the types describe themselves by `abi_stable`: names,
//! fields, sizes, and the parameters of functions. Only the description is
//! `abi_stable`'s; what crosses the boundary stays ours.

#[cfg(feature = "layout-check")]
mod compare;
#[cfg(feature = "layout-check")]
mod describe;
#[cfg(feature = "layout-check")]
pub(super) mod functions;

#[cfg(not(feature = "layout-check"))]
#[path = "layout/off.rs"]
mod describe;

pub use describe::{check_layout, layout};

/// What [`check_layout`] found, if nothing that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// The types are the same, or differ at their ends only, where they may grow.
    Same,
    /// Not compared: the plugin or this program was built without the feature `layout-check`.
    NotDescribed,
}
