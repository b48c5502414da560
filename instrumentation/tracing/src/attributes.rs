//! Keys of attributes.

pub(crate) const LEVEL: &str = "level";
pub(crate) const TARGET: &str = "target";

// As OpenTelemetry has them.
pub(crate) const CODE_FILE_PATH: &str = "code.file.path";
pub(crate) const CODE_LINE_NUMBER: &str = "code.line.number";
pub(crate) const CODE_MODULE_NAME: &str = "code.module.name";
pub(crate) const THREAD_ID: &str = "thread.id";
pub(crate) const THREAD_NAME: &str = "thread.name";
pub(crate) const EXCEPTION: &str = "exception";
pub(crate) const EXCEPTION_MESSAGE: &str = "exception.message";
