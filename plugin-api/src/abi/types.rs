use std::ffi::{c_char, c_void};

/// UTF-8, not terminated. `ptr` may be null if `len` is 0.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "fixed by the plugin boundary")]
pub struct Text {
    /// The first byte.
    pub ptr: *const c_char,
    /// Number of bytes.
    pub len: usize,
}

/// Bytes. `ptr` may be null if `len` is 0.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "fixed by the plugin boundary")]
pub struct Bytes {
    /// The first byte.
    pub ptr: *const u8,
    /// Number of bytes.
    pub len: usize,
}

/// The elements of an array value; their type follows from the value's kind.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "fixed by the plugin boundary")]
pub struct Array {
    /// The first element.
    pub ptr: *const c_void,
    /// Number of elements.
    pub len: usize,
}

/// The value of an attribute. This structure never grows.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "fixed by the plugin boundary")]
pub struct Value {
    /// `SPANDREL_VALUE_...`: which member of `data` is meant.
    pub kind: u32,
    /// 0.
    pub reserved: u32,
    /// The value itself.
    pub data: ValueData,
}

/// See [`Value`].
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(missing_docs, reason = "each is named in the kinds of values")]
pub union ValueData {
    pub boolean: u8,
    pub integer: i64,
    pub number: f64,
    pub text: Text,
    pub array: Array,
}

/// An attribute. This structure never grows.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "fixed by the plugin boundary")]
pub struct Attribute {
    /// The name, parts separated by dots.
    pub key: Text,
    /// The value.
    pub value: Value,
}

/// What identifies a span. This structure never grows.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "fixed by the plugin boundary")]
pub struct Context {
    /// The trace, most significant byte first.
    pub trace_id: [u8; 16],
    /// The span, most significant byte first.
    pub span_id: [u8; 8],
    /// The flags of a W3C `traceparent`: bit 0 sampled, bit 1 random.
    pub flags: u32,
    /// 1 if it came from another process, else 0.
    pub is_remote: u32,
    /// The value of a W3C `tracestate` header; mostly empty.
    pub trace_state: Text,
}

/// Something that happened at one moment of a span.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct Event {
    /// Bytes of this structure that are there.
    pub size: usize,
    /// When, in nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// What happened.
    pub name: Text,
    /// Details.
    pub attributes: *const Attribute,
    /// Number of attributes.
    pub attributes_len: usize,
}

/// A relation to another span. This structure never grows.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "fixed by the plugin boundary")]
pub struct Link {
    /// The other span.
    pub context: Context,
    /// Why it is linked.
    pub attributes: *const Attribute,
    /// Number of attributes.
    pub attributes_len: usize,
}

/// All that is known when a span starts.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct SpanStart {
    /// Bytes of this structure that are there.
    pub size: usize,
    /// The ids of the span. In `sample` the span id is not known yet, all zero.
    pub context: *const Context,
    /// The parent, or null.
    pub parent: *const Context,
    /// What the span is called.
    pub name: Text,
    /// `SPANDREL_SPAN_...`: its role.
    pub kind: u32,
    /// 0.
    pub reserved: u32,
    /// When it began, in nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// What is known of it already; keys are unique.
    pub attributes: *const Attribute,
    /// Number of attributes.
    pub attributes_len: usize,
    /// Its links.
    pub links: *const Link,
    /// Number of links.
    pub links_len: usize,
    /// The library that made the span.
    pub scope_name: Text,
    /// The version of that library, or empty.
    pub scope_version: Text,
}

/// Finished spans as OTLP protobuf.
///
/// The parts, concatenated, are one `ExportTraceServiceRequest`, which is on the wire
/// the same as `TracesData`. No span, resource or scope crosses from one part into the
/// next, nor does the head (key and length) of a field; the messages around them do.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct Batch {
    /// Bytes of this structure that are there.
    pub size: usize,
    /// The pieces of the message.
    pub parts: *const Bytes,
    /// Number of parts.
    pub parts_len: usize,
    /// Number of spans in all parts.
    pub span_count: u64,
}

/// What became of the spans of an instance, counted since it was created:
/// `recorded` = `exported` + all `dropped_...` + `pending`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct Stats {
    /// Bytes of this structure that are there; set by the caller.
    pub size: usize,
    /// Spans that ended.
    pub recorded: u64,
    /// Spans that the backend accepted.
    pub exported: u64,
    /// Spans that are on their way.
    pub pending: u64,
    /// Spans lost because a queue was full.
    pub dropped_queue_full: u64,
    /// Spans lost because they were larger than a limit.
    pub dropped_too_large: u64,
    /// Spans that the backend refused.
    pub dropped_export_failed: u64,
    /// Spans lost in a panic.
    pub dropped_panicked: u64,
    /// Spans that ended after shutdown.
    pub dropped_after_shutdown: u64,
    /// Spans that belong to the parent of a forked process.
    pub dropped_forked: u64,
    /// Panics that the plugin caught in threads of its own.
    pub panics: u64,
}

/// Why a call failed, in words. The caller passes one that is all zero but for
/// `size`; the callee may fill it, and only does if the status is not `SPANDREL_OK`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "grows by the rules of the plugin boundary")]
pub struct Error {
    /// Bytes of this structure that are there; set by the caller.
    pub size: usize,
    /// One sentence, lower case, without full stop.
    pub message: Text,
    /// The text of the error that caused this one, or empty.
    pub cause: Text,
    /// Facts: `key` is the setting that cannot be used, `remedy` what to do.
    pub context: *const ContextEntry,
    /// Number of facts.
    pub context_len: usize,
    /// Frees what the other fields point to; called once by the host. Null if that
    /// lives as long as the library.
    pub release: Option<unsafe extern "C" fn(error: *mut Error)>,
    /// The callee's own.
    pub private_data: *mut c_void,
}

/// A fact about an error. This structure never grows.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
#[expect(clippy::exhaustive_structs, reason = "fixed by the plugin boundary")]
pub struct ContextEntry {
    /// Its name.
    pub key: Text,
    /// Its value.
    pub value: Text,
}

impl Text {
    /// No text.
    pub const EMPTY: Self = Self { ptr: std::ptr::null(), len: 0 };

    /// A text that lives as long as `text`, which the type does not show.
    #[must_use]
    #[inline]
    pub const fn new(text: &str) -> Self {
        Self { ptr: text.as_ptr().cast(), len: text.len() }
    }
}

impl Error {
    /// What a caller passes.
    pub const EMPTY: Self = Self {
        size: size_of::<Self>(),
        message: Text::EMPTY,
        cause: Text::EMPTY,
        context: std::ptr::null(),
        context_len: 0,
        release: None,
        private_data: std::ptr::null_mut(),
    };
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Value(kind {})", self.kind)
    }
}

impl std::fmt::Debug for ValueData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ValueData")
    }
}

impl std::fmt::Debug for Attribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attribute(kind {})", self.value.kind)
    }
}
