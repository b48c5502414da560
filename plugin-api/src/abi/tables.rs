use std::ffi::c_void;

#[cfg(feature = "layout-check")]
use super::layout::functions;
use super::types::{Attribute, Batch, Context, Error, Event, Link, SpanStart, Stats, Text};

/// The type of the exported function [`ENTRY`](super::ENTRY). It has no side effects; the
/// descriptor lives as long as the library.
pub type Entry = unsafe extern "C" fn() -> *const Descriptor;

/// Makes an instance, or says why not.
pub type Create = unsafe extern "C" fn(
    arguments: *const CreateArguments,
    host: *const Host,
    instance: *mut Instance,
    error: *mut Error,
) -> i32;

/// Takes a context that was found; it is read before the function returns.
pub type Found = unsafe extern "C" fn(user: *mut c_void, context: *const Context);

/// What a plugin says of itself.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct Descriptor {
    /// `SPANDREL`.
    pub magic: [u8; 8],
    /// Bytes of this structure that are there.
    pub size: usize,
    /// The version of the boundary that the plugin was built for.
    pub abi_major: u16,
    /// See `abi_major`.
    pub abi_minor: u16,
    /// The minor version that the host must have at least.
    pub abi_minor_min: u16,
    /// `SPANDREL_KIND_...`
    pub kind: u16,
    /// `SPANDREL_FLAG_...`; unknown flags mean nothing.
    pub flags: u64,
    /// The word that names the provider in a configuration.
    pub name: Text,
    /// The version of the plugin.
    pub version: Text,
    /// Who made it, or empty.
    pub vendor: Text,
    /// Its license, or empty.
    pub license: Text,
    /// What it does, in one sentence, or empty.
    pub description: Text,
    /// What it was built for, as `linux-x86_64`, or empty.
    pub target: Text,
    /// Makes an instance. Called from any thread, one call at a time.
    #[cfg_attr(feature = "layout-check", sabi(unsafe_change_type = functions::Create))]
    pub create: Option<Create>,
    /// Optional: whether `create` would accept the configuration; has no side effects.
    pub validate_config:
        Option<unsafe extern "C" fn(arguments: *const CreateArguments, host: *const Host, error: *mut Error) -> i32>,
    /// Optional: the layout of the types here as the Rust crate `abi_stable` describes
    /// them. Null in every other language.
    pub layout: *const c_void,
    /// Null. Fills up what would be padding where pointers have 32 bits.
    pub reserved: *const c_void,
}

// SAFETY: a descriptor is never written to, and points to what lives as long as
// the library.
unsafe impl Sync for Descriptor {}
// SAFETY: as above.
unsafe impl Send for Descriptor {}

/// What an instance is made from. Borrowed for the call, like everything.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct CreateArguments {
    /// Bytes of this structure that are there.
    pub size: usize,
    /// The name under which the instance was configured.
    pub name: Text,
    /// The user's table `[provider.<name>]` as TOML, variables expanded; may be empty.
    /// One `key = value` a line, tables within as `key = { ... }`.
    pub config: Text,
    /// The service that is traced: `service.name` and more.
    pub resource: *const Attribute,
    /// Number of attributes.
    pub resource_len: usize,
}

/// What `create` hands out; all zero but for `size` before.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct Instance {
    /// Bytes of this structure that are there; set by the host. A plugin that knows
    /// fewer writes how many it has filled.
    pub size: usize,
    /// The first argument of every function in the table; the plugin's own.
    pub data: *mut c_void,
    /// The functions of an exporter; lives until `destroy`.
    pub exporter: *const ExporterTable,
    /// The functions of a live provider; lives until `destroy`.
    pub provider: *const ProviderTable,
    /// Names in lower case of the headers that `extract` reads and `inject`
    /// writes; lives until `destroy`. A carrier shows it no others.
    pub propagation_fields: *const Text,
    /// Number of names.
    pub propagation_fields_len: usize,
    /// `SPANDREL_INSTANCE_...`; unknown flags mean nothing.
    pub flags: u64,
}

/// Functions that the host has for plugins. Lives as long as the process, so that
/// threads of a plugin can call it at any time. All may be called from any thread.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct Host {
    /// Bytes of this structure that are there.
    pub size: usize,
    /// The version of the boundary that the host speaks.
    pub abi_major: u16,
    /// See `abi_major`.
    pub abi_minor: u16,
    /// 0.
    pub reserved: u32,
    /// The first argument of every function here.
    pub data: *mut c_void,
    /// The host's version, as `spandrel 0.1.0`.
    pub version: Text,
    /// Writes a message to the log of the service; `level` is `SPANDREL_LOG_...`
    pub log: Option<unsafe extern "C" fn(data: *mut c_void, level: u32, message: Text)>,
    /// Nanoseconds since 1970-01-01 UTC, by the clock that stamps spans.
    pub now_ns: Option<unsafe extern "C" fn(data: *mut c_void) -> u64>,
    /// Adds to a counter of this plugin, made at its first use.
    pub count: Option<unsafe extern "C" fn(data: *mut c_void, name: Text, by: u64)>,
    /// Switches tracing off (1) or on again (0) on this thread, so that what the plugin
    /// calls is not traced in turn. Calls nest, and come in pairs.
    pub suppress_tracing: Option<unsafe extern "C" fn(data: *mut c_void, on: u32)>,
}

// SAFETY: a host table is never written to, and its functions may be called from
// any thread.
unsafe impl Sync for Host {}
// SAFETY: as above.
unsafe impl Send for Host {}

/// The functions of an exporter, which gets finished spans. Without `export_batch`
/// there is none; any other function may be null.
///
/// All up to `after_fork_child` are called from one thread at a time, mostly a worker
/// thread of the host, and may block. Those from `on_start` on are called from any
/// number of threads at once and must not block.
///
/// A `timeout_ns` is how long the host will wait, in nanoseconds: 0 for what can be done at
/// once, `UINT64_MAX` for as long as it takes. Wherever an `error` is passed, it may be null.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct ExporterTable {
    /// Bytes of this structure that are there.
    pub size: usize,
    /// Delivers one batch of finished spans. Any status but `SPANDREL_OK` counts all spans
    /// of the batch as lost.
    pub export_batch: Option<unsafe extern "C" fn(data: *mut c_void, batch: *const Batch, error: *mut Error) -> i32>,
    /// Makes sure that exported batches have left this process.
    pub flush: Option<unsafe extern "C" fn(data: *mut c_void, timeout_ns: u64, error: *mut Error) -> i32>,
    /// Flushes and stops. Nothing is exported afterwards. A second call does nothing.
    pub shutdown: Option<unsafe extern "C" fn(data: *mut c_void, timeout_ns: u64, error: *mut Error) -> i32>,
    /// Frees the instance; the last call. Threads of the instance have ended when it returns.
    pub destroy: Option<unsafe extern "C" fn(data: *mut c_void) -> i32>,

    /// Optional: called about once per batch interval while nothing is exported.
    pub on_idle: Option<unsafe extern "C" fn(data: *mut c_void) -> i32>,
    /// Optional: called in the child after a fork, before any other call there. The
    /// threads of the instance do not exist in the child. Without this entry the
    /// instance is not called in a child.
    pub after_fork_child: Option<unsafe extern "C" fn(data: *mut c_void) -> i32>,
    /// Optional: a span has started.
    pub on_start: Option<unsafe extern "C" fn(data: *mut c_void, start: *const SpanStart) -> i32>,
    /// Optional: whether a span without a parent in this process is recorded. Asked
    /// after the configured sampler has said yes. Writes `SPANDREL_SAMPLE_...`
    pub sample: Option<unsafe extern "C" fn(data: *mut c_void, start: *const SpanStart, decision: *mut u32) -> i32>,
    /// Optional: reads a context that came with a request, and hands it to `found`.
    /// `SPANDREL_UNSUPPORTED` asks for the configured propagators.
    #[cfg_attr(feature = "layout-check", sabi(unsafe_change_type = functions::Extract))]
    pub extract: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            carrier: *const Carrier,
            user: *mut c_void,
            found: Option<Found>,
        ) -> i32,
    >,
    /// Optional: writes a context into an outgoing request.
    /// `SPANDREL_UNSUPPORTED` asks for the configured propagators.
    pub inject:
        Option<unsafe extern "C" fn(data: *mut c_void, context: *const Context, carrier: *const CarrierMut) -> i32>,
    /// Optional: what became of the spans that the instance was given.
    pub stats: Option<unsafe extern "C" fn(data: *mut c_void, stats: *mut Stats) -> i32>,
    /// Optional: whether the backend can be reached, as far as is known without asking it.
    pub health: Option<unsafe extern "C" fn(data: *mut c_void, error: *mut Error) -> i32>,
}

/// The functions of a live provider, which sees every call. Without `start_span` and
/// `end_span` there is none; any other function may be null.
///
/// They are called from the threads of the service, any number at once, but one
/// at a time for each span, and must not block; `flush`, `shutdown` and `destroy` may.
/// `span` is what `start_span` wrote; after `end_span` it is not used again.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct ProviderTable {
    /// Bytes of this structure that are there.
    pub size: usize,
    /// Begins a span and writes a number for it.
    pub start_span: Option<unsafe extern "C" fn(data: *mut c_void, start: *const SpanStart, span: *mut u64) -> i32>,
    /// Ends a span. Called once for each started span, on any thread.
    pub end_span: Option<unsafe extern "C" fn(data: *mut c_void, span: u64, time_ns: u64) -> i32>,
    /// Sets the outcome, `SPANDREL_STATUS_...`: ok is final, unset is ignored, an error has a text.
    pub set_span_status: Option<unsafe extern "C" fn(data: *mut c_void, span: u64, status: u32, text: Text) -> i32>,
    /// Replaces the name.
    pub set_span_name: Option<unsafe extern "C" fn(data: *mut c_void, span: u64, name: Text) -> i32>,
    /// Sets attributes; a key that is there already gets the new value.
    pub add_span_attributes: Option<
        unsafe extern "C" fn(data: *mut c_void, span: u64, attributes: *const Attribute, attributes_len: usize) -> i32,
    >,
    /// Adds something that happened.
    pub add_span_event: Option<unsafe extern "C" fn(data: *mut c_void, span: u64, event: *const Event) -> i32>,
    /// Adds a relation to another span.
    pub add_span_link: Option<unsafe extern "C" fn(data: *mut c_void, span: u64, link: *const Link) -> i32>,
    /// Delivers all spans that have ended.
    pub flush: Option<unsafe extern "C" fn(data: *mut c_void, timeout_ns: u64, error: *mut Error) -> i32>,
    /// Delivers what is left and stops. Spans may still end afterwards. A second call does nothing.
    pub shutdown: Option<unsafe extern "C" fn(data: *mut c_void, timeout_ns: u64, error: *mut Error) -> i32>,
    /// Frees the instance; the last call. Threads of the instance have ended when it returns.
    pub destroy: Option<unsafe extern "C" fn(data: *mut c_void) -> i32>,

    /// Optional: the span becomes the current one of this thread. For an async span
    /// that is once for each poll.
    pub enter_span: Option<unsafe extern "C" fn(data: *mut c_void, span: u64) -> i32>,
    /// Optional: the span is no longer the current one of this thread.
    pub exit_span: Option<unsafe extern "C" fn(data: *mut c_void, span: u64) -> i32>,
    /// Optional: a span that is not sampled becomes the current one of this thread.
    pub enter_unsampled: Option<unsafe extern "C" fn(data: *mut c_void, context: *const Context) -> i32>,
    /// Optional: the innermost of `enter_unsampled` is no longer the current one.
    pub exit_unsampled: Option<unsafe extern "C" fn(data: *mut c_void, context: *const Context) -> i32>,
    /// Optional: hands the current span of a context kept by the backend itself to
    /// `found`. Asked before a parent is chosen.
    #[cfg_attr(feature = "layout-check", sabi(unsafe_change_type = functions::CurrentContext))]
    pub current_context:
        Option<unsafe extern "C" fn(data: *mut c_void, user: *mut c_void, found: Option<Found>) -> i32>,
    /// Optional: no new spans will start; running ones may still end.
    pub retire: Option<unsafe extern "C" fn(data: *mut c_void) -> i32>,
    /// Optional, as in [`ExporterTable`].
    pub after_fork_child: Option<unsafe extern "C" fn(data: *mut c_void) -> i32>,
    /// Optional, as in [`ExporterTable`].
    pub sample: Option<unsafe extern "C" fn(data: *mut c_void, start: *const SpanStart, decision: *mut u32) -> i32>,
    /// Optional, as in [`ExporterTable`].
    #[cfg_attr(feature = "layout-check", sabi(unsafe_change_type = functions::Extract))]
    pub extract: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            carrier: *const Carrier,
            user: *mut c_void,
            found: Option<Found>,
        ) -> i32,
    >,
    /// Optional, as in [`ExporterTable`].
    pub inject:
        Option<unsafe extern "C" fn(data: *mut c_void, context: *const Context, carrier: *const CarrierMut) -> i32>,
    /// Optional: what became of the spans so far.
    pub stats: Option<unsafe extern "C" fn(data: *mut c_void, stats: *mut Stats) -> i32>,
    /// Optional, as in [`ExporterTable`].
    pub health: Option<unsafe extern "C" fn(data: *mut c_void, error: *mut Error) -> i32>,
}

/// The headers of a request that came in.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct Carrier {
    /// Bytes of this structure that are there.
    pub size: usize,
    /// The first argument of the function.
    pub data: *mut c_void,
    /// Calls `each` with every value of a header, in their order; `name` is in lower case.
    #[cfg_attr(feature = "layout-check", sabi(unsafe_change_type = functions::ForEachValue))]
    pub for_each_value: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            name: Text,
            user: *mut c_void,
            each: Option<unsafe extern "C" fn(user: *mut c_void, value: Text)>,
        ),
    >,
}

/// The headers of a request that goes out.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct CarrierMut {
    /// Bytes of this structure that are there.
    pub size: usize,
    /// The first argument of each function.
    pub data: *mut c_void,
    /// Sets a header, in place of earlier values. Only names from the instance's
    /// `propagation_fields` are written.
    pub set: Option<unsafe extern "C" fn(data: *mut c_void, name: Text, value: Text)>,
    /// Removes a header.
    pub remove: Option<unsafe extern "C" fn(data: *mut c_void, name: Text)>,
}
