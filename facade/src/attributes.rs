//! Keys that the facade itself sets.
//!
//! Source: OpenTelemetry semantic conventions 1.44, exceptions.

pub(crate) const EXCEPTION: &str = "exception";
pub(crate) const EXCEPTION_TYPE: &str = "exception.type";
pub(crate) const EXCEPTION_MESSAGE: &str = "exception.message";
