//! What every provider promises, by subject.

pub(crate) mod attributes;
pub(crate) mod identity;
pub(crate) mod parts;
pub(crate) mod status;
pub(crate) mod text;
pub(crate) mod time;

pub(crate) mod delivery;
pub(crate) mod lifetime;
pub(crate) mod threads;

pub(crate) mod context;
pub(crate) mod misuse;
