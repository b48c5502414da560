//! Tests of traced code: capture what it records, assert the tree.
//!
//! Nothing is installed; each capture sees its own spans only, so that tests may
//! run side by side.
//!
//! ```
//! use spandrel::{self as tracing, assert_trace, testing};
//!
//! let trace = testing::capture(|| {
//!     tracing::with_span("checkout", |_| {
//!         tracing::with_span("reserve_stock", |_| ());
//!         let _ = tracing::try_with_span("charge_card", |_| Err::<(), _>("declined"));
//!     });
//! });
//! assert_trace!(trace, "checkout" { "reserve_stock" {} "charge_card" (status: error) {} });
//! ```

use std::fmt::Write;
use std::num::NonZeroUsize;
use std::time::Duration;

use spandrel_plugin_api::{OwnedValue, SpanData, SpanId, SpanKind, StatusData};
use spandrel_provider_memory::{MemoryExporter, MemoryStore};

use crate::future::InSpanExt;
use crate::sampler::Sampler;
use crate::setup::builder;
use crate::tracer::Tracer;

/// The spans that a piece of code recorded.
#[derive(Debug, Clone)]
pub struct Trace {
    spans: Vec<SpanData>,
}

/// Calls `f` and gives back the spans that were recorded on this thread
/// meanwhile, and in work that got its context from here.
pub fn capture<R>(f: impl FnOnce() -> R) -> Trace {
    let capture = Capture::new();
    capture.tracer.context().within(f);
    capture.finish()
}

/// As [`capture`], for a future, which must start its spans while it is polled:
/// hand over an `async` block.
pub async fn capture_async<R>(future: impl Future<Output = R>) -> Trace {
    let capture = Capture::new();
    future.in_context(capture.tracer.context()).await;
    capture.finish()
}

struct Capture {
    tracer: Tracer,
    store: MemoryStore,
}

impl Capture {
    const DEADLINE: Duration = Duration::from_secs(30);

    fn new() -> Self {
        let store = MemoryStore::new(NonZeroUsize::MAX);
        let exported = store.clone();
        let builder =
            builder().exporter("capture", move || MemoryExporter::new(exported.clone())).sampler(Sampler::always_on());
        let tracer = builder.build().expect("these settings are valid");
        Self { tracer, store }
    }

    fn finish(self) -> Trace {
        self.tracer.shutdown(Self::DEADLINE).expect("a store in memory takes every span");
        Trace { spans: self.store.take() }
    }
}

impl Trace {
    /// All spans, in the order in which they ended.
    #[must_use]
    pub fn spans(&self) -> &[SpanData] {
        &self.spans
    }

    /// The first span with this name.
    ///
    /// # Panics
    ///
    /// If there is none; the message shows the tree.
    #[must_use]
    #[track_caller]
    pub fn span(&self, name: &str) -> &SpanData {
        match self.spans.iter().find(|span| span.name == name) {
            Some(span) => span,
            None => panic!("there is no span {name:?} in\n{self}"),
        }
    }

    /// The spans without a parent in this trace, by their start.
    pub fn roots(&self) -> Vec<&SpanData> {
        let known = |id: SpanId| self.spans.iter().any(|span| span.span_id == id);
        self.sorted(|span| !span.parent_span_id.is_some_and(known))
    }

    /// The children of a span, by their start.
    pub fn children(&self, span: &SpanData) -> Vec<&SpanData> {
        self.sorted(|child| child.parent_span_id == Some(span.span_id))
    }

    fn sorted(&self, wanted: impl Fn(&SpanData) -> bool) -> Vec<&SpanData> {
        let mut spans: Vec<&SpanData> = self.spans.iter().filter(|span| wanted(span)).collect();
        spans.sort_by_key(|span| span.start);
        spans
    }

    fn write_tree(&self, out: &mut String, spans: &[&SpanData], depth: usize) {
        for span in spans {
            let status = match &span.status {
                StatusData::Unset => String::new(),
                StatusData::Ok => " (ok)".to_owned(),
                StatusData::Error(text) => format!(" (error: {text})"),
            };
            let _ = writeln!(out, "{}{}{status}", "  ".repeat(depth), span.name);
            self.write_tree(out, &self.children(span), depth + 1);
        }
    }
}

/// The tree of names.
impl std::fmt::Display for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut tree = String::new();
        self.write_tree(&mut tree, &self.roots(), 0);
        f.write_str(&tree)
    }
}

/// What a span should look like; made by [`assert_trace!`](crate::assert_trace).
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Expected {
    pub name: &'static str,
    pub status: Option<&'static str>,
    pub kind: Option<&'static str>,
    pub attributes: Vec<(&'static str, OwnedValue)>,
    pub children: Vec<Expected>,
}

impl Expected {
    /// Says what the elements are where there are none.
    #[doc(hidden)]
    pub fn list<const N: usize>(list: [Self; N]) -> [Self; N] {
        list
    }

    #[doc(hidden)]
    #[track_caller]
    pub fn check(expected: &[Self], trace: &Trace) {
        let mut differences = String::new();
        compare(&mut differences, expected, &trace.roots(), trace, "the trace");
        assert!(differences.is_empty(), "{differences}recorded was\n{trace}");
    }
}

fn compare(out: &mut String, expected: &[Expected], found: &[&SpanData], trace: &Trace, parent: &str) {
    let expected_names: Vec<&str> = expected.iter().map(|e| e.name).collect();
    let found_names: Vec<&str> = found.iter().map(|s| s.name.as_str()).collect();
    if expected_names != found_names {
        let _ = writeln!(out, "in {parent}: expected {expected_names:?}, found {found_names:?}");
        return;
    }
    for (expected, span) in expected.iter().zip(found) {
        let status = match span.status {
            StatusData::Unset => "unset",
            StatusData::Ok => "ok",
            StatusData::Error(_) => "error",
        };
        let kind = SpanKind::as_str(span.kind);
        for (what, wanted, is) in [("status", expected.status, status), ("kind", expected.kind, kind)] {
            if wanted.is_some_and(|wanted| wanted != is) {
                let _ = writeln!(out, "in {}: expected {what} {}, found {is}", span.name, wanted.unwrap_or(""));
            }
        }
        for (key, value) in &expected.attributes {
            if span.attribute(key) != Some(value) {
                let _ = writeln!(out, "in {}: expected {key} = {value:?}, found {:?}", span.name, span.attribute(key));
            }
        }
        compare(out, &expected.children, &trace.children(span), trace, &span.name);
    }
}

/// Asserts the tree of spans of a [`testing::Trace`](crate::testing::Trace).
///
/// Each span is its name, conditions in parentheses if there are any, and its
/// children in braces, by their start. Conditions: `status: error | ok | unset`,
/// `kind: client | server | ...`, and `"key" = value` for an attribute.
///
/// ```
/// # use spandrel::{self as tracing, assert_trace, testing};
/// # let trace = testing::capture(|| tracing::with_span("a", |s| s.set_attribute("n", 1)));
/// assert_trace!(trace, "a" (kind: internal, "n" = 1) {});
/// ```
///
/// # Panics
///
/// If the trace is another one; the message shows it.
#[macro_export]
macro_rules! assert_trace {
    ($trace:expr, $($tree:tt)*) => {
        $crate::testing::Expected::check(&$crate::__expected_spans!([] $($tree)*), &$trace)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __expected_spans {
    ([$($done:expr,)*]) => {
        $crate::testing::Expected::list([$($done),*])
    };
    ([$($done:expr,)*] $name:literal { $($children:tt)* } $($rest:tt)*) => {
        $crate::__expected_spans!([$($done,)* $crate::__expected_span!($name () { $($children)* }),] $($rest)*)
    };
    ([$($done:expr,)*] $name:literal ($($condition:tt)*) { $($children:tt)* } $($rest:tt)*) => {
        $crate::__expected_spans!([$($done,)* $crate::__expected_span!($name ($($condition)*) { $($children)* }),] $($rest)*)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __expected_span {
    ($name:literal ($($condition:tt)*) { $($children:tt)* }) => {{
        #[allow(unused_mut)]
        let mut expected = $crate::testing::Expected {
            name: $name,
            children: ::std::vec::Vec::from($crate::__expected_spans!([] $($children)*)),
            ..::std::default::Default::default()
        };
        $crate::__expect!(expected $($condition)*);
        expected
    }};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __expect {
    ($span:ident) => {};
    ($span:ident status: $status:ident $(, $($rest:tt)*)?) => {
        $span.status = ::std::option::Option::Some(::std::stringify!($status));
        $crate::__expect!($span $($($rest)*)?);
    };
    ($span:ident kind: $kind:ident $(, $($rest:tt)*)?) => {
        $span.kind = ::std::option::Option::Some(::std::stringify!($kind));
        $crate::__expect!($span $($($rest)*)?);
    };
    ($span:ident $key:literal = $value:expr $(, $($rest:tt)*)?) => {
        $span.attributes.push(($key, $crate::__private::ToValue::to_value(&$value).to_owned()));
        $crate::__expect!($span $($($rest)*)?);
    };
}
