//! What is measured, and what all subjects do alike.

use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// What one operation does. Spans are made current unless the subject says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    Off,
    OffAttrs,
    SampledOut,
    SampledOutAttrs,
    Root,
    Full,
    Children10,
    Children100,
    Full2Threads,
    Poll1,
    Poll10,
    TracedFn,
    CurrentAttribute,
    Propagate,
    LlmCall,
}

use Workload::{
    Children10, Children100, CurrentAttribute, Full, Full2Threads, LlmCall, Off, OffAttrs, Poll1, Poll10, Propagate,
    Root, SampledOut, SampledOutAttrs, TracedFn,
};

impl Workload {
    pub(crate) const ALL: [Self; 15] = [
        Off,
        OffAttrs,
        SampledOut,
        SampledOutAttrs,
        Root,
        Full,
        Children10,
        Children100,
        Full2Threads,
        Poll1,
        Poll10,
        TracedFn,
        CurrentAttribute,
        Propagate,
        LlmCall,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Off => "off",
            OffAttrs => "off-attrs",
            SampledOut => "sampled-out",
            SampledOutAttrs => "sampled-out-attrs",
            Root => "root",
            Full => "full",
            Children10 => "children-10",
            Children100 => "children-100",
            Full2Threads => "full-2-threads",
            Poll1 => "poll-1",
            Poll10 => "poll-10",
            TracedFn => "traced-fn",
            CurrentAttribute => "current-attribute",
            Propagate => "propagate",
            LlmCall => "llm-call",
        }
    }

    pub(crate) const fn about(self) -> &'static str {
        match self {
            Off => "a span while tracing is off",
            OffAttrs => "the same with 4 attributes written at the call",
            SampledOut => "a root span that the sampler does not record (ratio 0)",
            SampledOutAttrs => "the same with 4 attributes",
            Root => "a root span, made current",
            Full => "a root span with 4 attributes (static text, 23-byte text, integer, float) and 1 event",
            Children10 => "a root span with 10 children of 2 attributes each",
            Children100 => "a root span with 100 children of 2 attributes each",
            Full2Threads => "`full` on 2 threads at once, for each span",
            Poll1 => "a root span around a future that is pending once",
            Poll10 => "a root span around a future that is pending ten times",
            TracedFn => "a root span with 10 calls of a function traced by an attribute macro",
            CurrentAttribute => "a root span with 8 attributes set on the current span",
            Propagate => "a context read from headers and written to others",
            LlmCall => "a call of a model as a root span with 23 attributes (8 texts, 1 list, 14 numbers)",
        }
    }

    /// Spans that one operation records.
    pub(crate) const fn spans(self) -> u64 {
        match self {
            Off | OffAttrs | SampledOut | SampledOutAttrs | Propagate => 0,
            Root | Full | Full2Threads | Poll1 | Poll10 | CurrentAttribute | LlmCall => 1,
            Children10 | TracedFn => 11,
            Children100 => 101,
        }
    }

    pub(crate) const fn threads(self) -> u64 {
        match self {
            Full2Threads => 2,
            _ => 1,
        }
    }

    /// Operations of one thread between two looks at the clock: about 2,000 spans, so that
    /// the queue of each peer as it is shipped holds them until they are flushed (2,048 spans
    /// with OpenTelemetry, 10,240 commands with fastrace). More where nothing is recorded
    /// and an operation is short.
    pub(crate) const fn operations(self) -> u64 {
        match self {
            Off | OffAttrs => 100_000,
            SampledOut | SampledOutAttrs => 20_000,
            Root | Full | Poll1 | CurrentAttribute | Propagate | LlmCall => 2_000,
            Full2Threads => 1_000,
            Poll10 => 500,
            Children10 | TracedFn => 180,
            Children100 => 20,
        }
    }
}

/// What is left when two workloads are subtracted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Derived {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) from: Workload,
    pub(crate) less: Workload,
    pub(crate) share: f64,
}

pub(crate) const DERIVED: [Derived; 4] = [
    Derived {
        name: "child",
        about: "one child with 2 attributes: (children-100 - children-10) / 90",
        from: Children100,
        less: Children10,
        share: 90.0,
    },
    Derived {
        name: "one-more-poll",
        about: "(poll-10 - poll-1) / 9, the future itself included",
        from: Poll10,
        less: Poll1,
        share: 9.0,
    },
    Derived {
        name: "traced-call",
        about: "one call of a traced function: (traced-fn - root) / 10",
        from: TracedFn,
        less: Root,
        share: 10.0,
    },
    Derived {
        name: "one-attribute",
        about: "(current-attribute - root) / 8",
        from: CurrentAttribute,
        less: Root,
        share: 8.0,
    },
];

/// What is traced: one number that the compiler must make.
#[inline(always)]
pub(crate) fn work() {
    black_box(1_u32);
}

/// What the attributes of `full` say.
pub(crate) struct Cart {
    pub(crate) id: &'static str,
    pub(crate) items: i64,
    pub(crate) total: f64,
}

/// The compiler knows nothing of the values: only where they are goes through a black box, as
/// the values themselves would be written and read back at different widths, which stalls.
#[inline(always)]
pub(crate) fn cart() -> &'static Cart {
    static CART: Cart = Cart { id: "0123456789abcdefghijklm", items: 3, total: 9.75 };
    black_box(&CART)
}

/// What is known of the call of a model.
pub(crate) struct Llm {
    pub(crate) provider: &'static str,
    pub(crate) model: &'static str,
    pub(crate) server: &'static str,
    pub(crate) answered: &'static str,
    pub(crate) id: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cached: u64,
    pub(crate) reasoning: u64,
}

#[inline(always)]
pub(crate) fn llm() -> &'static Llm {
    static LLM: Llm = Llm {
        provider: "openai",
        model: "gpt-4o",
        server: "api.openai.com",
        answered: "gpt-4o-2024-08-06",
        id: "chatcmpl-1",
        reason: "stop",
        input: 1_000,
        output: 500,
        cached: 200,
        reasoning: 100,
    };
    black_box(&LLM)
}

/// What [`llm`] cost in US dollars, and how that is told: others are given it, Spandrel works it out.
pub(crate) const COST: (f64, f64, f64) = (0.002_25, 0.005, 0.007_25);
pub(crate) const RULE: &str = "openai/gpt-4o";
pub(crate) const PRICE_TABLE: &str = "genai-prices 0.2.3, 2026-11-21";

/// The keys of `current-attribute`.
pub(crate) const KEYS: [&str; 8] = ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"];

/// The numbers of the children of a span.
#[inline(always)]
pub(crate) fn items(count: i64) -> impl Iterator<Item = i64> {
    (0..count).map(black_box)
}

/// What functions with an attribute macro do.
#[inline(always)]
pub(crate) fn price(item: i64) -> i64 {
    black_box(item) * 2
}

/// A future that is pending this many times.
pub(crate) struct Pending(pub(crate) u32);

impl Future for Pending {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        work();
        match self.0 {
            0 => Poll::Ready(()),
            _ => {
                self.0 -= 1;
                Poll::Pending
            }
        }
    }
}

/// Polls until the future is ready.
#[inline(always)]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// The headers of a request that comes in.
pub(crate) const INCOMING: [(&str, &str); 4] = [
    ("host", "shop.example"),
    ("content-type", "application/json"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("user-agent", "bench"),
];

/// A carrier that keeps its memory, so that it adds nothing to what is measured.
pub(crate) struct Headers(Vec<(&'static str, String)>);

impl Headers {
    pub(crate) fn incoming() -> Self {
        Self(INCOMING.map(|(name, value)| (name, value.to_owned())).to_vec())
    }

    pub(crate) fn outgoing() -> Self {
        Self(vec![("traceparent", String::with_capacity(64))])
    }

    #[inline]
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }

    /// For subjects that lend the value.
    #[inline]
    pub(crate) fn copy(&mut self, name: &str, value: &str) {
        if let Some((_, kept)) = self.0.iter_mut().find(|(known, _)| *known == name) {
            kept.clear();
            kept.push_str(value);
        }
    }

    /// For subjects that give the value away.
    #[inline]
    pub(crate) fn put(&mut self, name: &str, value: String) {
        if let Some((_, kept)) = self.0.iter_mut().find(|(known, _)| *known == name) {
            *kept = value;
        }
    }
}
