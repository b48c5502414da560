//! The plugin boundary: what a provider in a dynamic library and its host agree on.
//!
//! A plugin exports one function, [`ENTRY`], which returns a [`Descriptor`]. Its
//! `create` makes an instance with one of two tables of functions: an
//! [`ExporterTable`] gets finished spans as OTLP protobuf, a [`ProviderTable`] sees every
//! call as it happens. The C header `include/spandrel.h` is generated from here.
//!
//! Rules that hold everywhere:
//!
//! - Everything passed to a function is borrowed for that call; the callee copies
//!   what it keeps. What a plugin hands out lives until `destroy`, except
//!   for errors, which it may release.
//! - Tables and structures that may grow begin with their size. Whoever reads one
//!   reads no more than that, and takes what is missing for absent (zero).
//! - Texts are UTF-8, not terminated. A reader replaces what is not UTF-8.
//! - Numbers that name something (kinds, codes) may have values that the reader does
//!   not know; each says what is made of them.
//! - No panic or exception crosses; a plugin catches it and answers [`PANICKED`].
//!   One built with `panic = "abort"` cannot, and ends the service.
//! - A library is never unloaded.

#![expect(unsafe_code, reason = "the boundary is made of pointers; see CONTRIBUTING.md")]

mod error;
mod layout;
mod lend;
mod read;
mod tables;
mod types;

#[cfg(feature = "plugin")]
#[doc(hidden)]
pub mod sdk;

#[cfg(feature = "plugin")]
pub use sdk::host;

pub use error::{fill_error, read_line, status_of, take_error};
pub use layout::{Layout, check_layout, layout};
pub use lend::{LendContext, lend_attributes, lend_event, lend_link, lend_span_start};
pub use read::{
    Prefixed, copy_prefix, read_attributes, read_context, read_event, read_link, read_span_start, read_text,
};
pub use tables::{
    Carrier, CarrierMut, Create, CreateArguments, Descriptor, Entry, ExporterTable, Found, Host, Instance,
    ProviderTable,
};
pub use types::{
    Array, Attribute, Batch, Bytes, Context, ContextEntry, Error, Event, Link, SpanStart, Stats, Text, Value, ValueData,
};

/// The version of the boundary.
///
/// Versions with the same major number work together in both directions: a minor
/// version only adds entries, fields, codes and flags.
pub const ABI_MAJOR: u16 = 1;
/// See [`ABI_MAJOR`].
pub const ABI_MINOR: u16 = 0;

/// The symbol that a plugin exports, of type [`Entry`]; the major version is in it.
pub const ENTRY: &str = "spandrel_plugin_v1";

/// The first bytes of a [`Descriptor`].
pub const MAGIC: [u8; 8] = *b"SPANDREL";

/// The plugin gets finished spans: its instances have the table [`ExporterTable`].
pub const KIND_EXPORTER: u16 = 1;
/// The plugin sees spans live: its instances have the table [`ProviderTable`].
pub const KIND_PROVIDER: u16 = 2;

/// Flag of a descriptor: a panic ends the process, as nothing catches it.
pub const FLAG_PANIC_ABORTS: u64 = 1;
/// Flag of a descriptor: built without optimisation.
pub const FLAG_DEBUG_BUILD: u64 = 2;

/// Flag of an instance: it records nothing, so that no spans need to be started; a context
/// that comes in is passed on as it is.
pub const INSTANCE_RECORDS_NOTHING: u64 = 1;

/// Status: done.
pub const OK: i32 = 0;
/// Status: a setting cannot be used; the error names it under `key`.
pub const CONFIG_INVALID: i32 = 1;
/// Status: not offered by this plugin.
pub const UNSUPPORTED: i32 = 2;
/// Status: the backend cannot be reached now; the same call may work later.
pub const UNAVAILABLE: i32 = 3;
/// Status: the time passed before the work was done.
pub const TIMEOUT: i32 = 4;
/// Status: the instance was shut down.
pub const SHUT_DOWN: i32 = 5;
/// Status: spans were lost.
pub const SPANS_LOST: i32 = 6;
/// Status: the plugin panicked. The host counts it, and after three it calls the
/// instance no more.
pub const PANICKED: i32 = 7;
/// Status: the operating system refused.
pub const IO: i32 = 8;
/// Status: bytes are not what their format promises.
pub const MALFORMED: i32 = 9;
/// Status: anything else; so are numbers that the host does not know.
pub const INTERNAL: i32 = 10;

/// Role of a span: inside the service. So are numbers that the reader does not know.
pub const SPAN_INTERNAL: u32 = 1;
/// Role of a span: handles a request.
pub const SPAN_SERVER: u32 = 2;
/// Role of a span: makes a request.
pub const SPAN_CLIENT: u32 = 3;
/// Role of a span: sends a message.
pub const SPAN_PRODUCER: u32 = 4;
/// Role of a span: processes a message.
pub const SPAN_CONSUMER: u32 = 5;

/// Outcome of a span: nothing was said. So are numbers that the reader does not know.
pub const STATUS_UNSET: u32 = 0;
/// Outcome of a span: declared successful.
pub const STATUS_OK: u32 = 1;
/// Outcome of a span: failed.
pub const STATUS_ERROR: u32 = 2;

/// Kind of a value: `data.boolean`, 0 or 1. Values of an unknown kind are left out.
pub const VALUE_BOOL: u32 = 1;
/// Kind of a value: `data.integer`.
pub const VALUE_I64: u32 = 2;
/// Kind of a value: `data.number`.
pub const VALUE_F64: u32 = 3;
/// Kind of a value: `data.text`.
pub const VALUE_TEXT: u32 = 4;
/// Kind of a value: `data.array` of bytes, each 0 or 1.
pub const VALUE_BOOL_ARRAY: u32 = 5;
/// Kind of a value: `data.array` of `int64_t`.
pub const VALUE_I64_ARRAY: u32 = 6;
/// Kind of a value: `data.array` of `double`.
pub const VALUE_F64_ARRAY: u32 = 7;
/// Kind of a value: `data.array` of `spandrel_text`.
pub const VALUE_TEXT_ARRAY: u32 = 8;

/// Decision of `sample`: no opinion, and so are numbers that the host does not know.
pub const SAMPLE_NO_OPINION: u32 = 0;
/// Decision of `sample`: record the span.
pub const SAMPLE_RECORD: u32 = 1;
/// Decision of `sample`: do not record the span.
pub const SAMPLE_DROP: u32 = 2;

/// Level of a log message: something does not work.
pub const LOG_ERROR: u32 = 1;
/// Level of a log message: something was lost or looks wrong.
pub const LOG_WARNING: u32 = 2;
/// Level of a log message: worth knowing. So are higher numbers.
pub const LOG_INFO: u32 = 3;
