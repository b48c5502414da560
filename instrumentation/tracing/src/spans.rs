//! Our halves of the spans of `tracing`, by their ids.
//!
//! A span of `tracing` is a handle that many threads may share; one of ours has one
//! writer. Both hold, as each entry is behind a lock, and has an owner while a thread
//! is in it: see [`Entry`]. Not in the extensions of the registry, which take an
//! allocation and two more locks for each span.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use spandrel::bridge::{self, Moment};
use spandrel::{Context, Span, SpanContext, diagnostics};
use spin::Yield;
use spin::mutex::SpinMutex;
use tracing_core::span::Id;

use crate::guests;

/// All open spans of one subscriber.
pub(crate) struct Spans {
    /// Tells the spans of several subscribers apart.
    pub(crate) number: u64,
    buckets: Box<[Bucket]>,
}

/// Not on one cache line with another one.
///
/// Threads do not meet here, as a rule. So what a lock costs is its two writes that
/// lock the bus, of which this one does without the second; who does meet somebody
/// gives way to other threads.
#[repr(align(128))]
#[derive(Default)]
struct Bucket(SpinMutex<Vec<Entry>, Yield>);

/// One open span.
///
/// - Nobody is in it: anybody writes to it, behind the lock.
/// - A thread is in it, its owner: the span is current there, with all that may be
///   done to a current span, and only this thread writes. What others have to say
///   waits until the owner leaves.
/// - The threads that enter meanwhile are guests: its ids are current there, so that
///   what starts there is its child.
///
/// Entries stay where they are and are used again.
#[derive(Default)]
struct Entry {
    /// 0 if the entry is free.
    id: u64,
    span: Span,
    /// As the span's, which may be out of reach.
    context: SpanContext,
    /// What guests get besides the ids.
    ambient: Option<Context>,
    /// The thread that is in it; 0 if nobody is.
    owner: u64,
    /// How many times the owner entered.
    depth: u32,
    /// When it was left, or written to, for the last time.
    last: Option<Moment>,
    late: Vec<Late>,
    lost: u64,
}

/// Something that waits for the owner to leave.
pub(crate) type Late = Box<dyn FnOnce(&mut Span) + Send>;

impl Spans {
    const BUCKETS: usize = 128;
    /// How much may wait for the owner of one span.
    const MAX_LATE: usize = 1024;

    pub(crate) fn new() -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let buckets = (0..Self::BUCKETS).map(|_| Bucket::default()).collect();
        Self { number: NUMBERS.fetch_add(1, Ordering::Relaxed), buckets }
    }

    #[inline]
    pub(crate) fn insert(&self, id: &Id, span: Span, context: SpanContext, ambient: Option<Context>) {
        let id = id.into_u64();
        self.locked(id, |entries, _| {
            let at = entries.iter().position(|entry| entry.id == 0).unwrap_or_else(|| {
                entries.push(Entry::default());
                entries.len() - 1
            });
            let entry = &mut entries[at];
            entry.id = id;
            entry.span = span;
            entry.context = context;
            if ambient.is_some() {
                entry.ambient = ambient;
            }
        });
    }

    pub(crate) fn context(&self, id: &Id) -> Option<SpanContext> {
        self.with(id, |entry, _| entry.context.clone())
    }

    pub(crate) fn enter(&self, id: &Id) {
        let guest = self.with(id, |entry, here| {
            if entry.owner == 0 {
                entry.owner = here;
                bridge::enter(&mut entry.span);
            } else if entry.owner != here {
                return Some((entry.ambient.clone(), entry.context.clone()));
            }
            entry.depth += 1;
            None
        });
        if let Some(Some((ambient, context))) = guest {
            let context = ambient.unwrap_or_else(Context::root).with_span_context(context);
            guests::enter(self.number, id, &context);
        }
    }

    pub(crate) fn exit(&self, id: &Id) {
        let is_guest = self.with(id, |entry, here| {
            if entry.owner != here {
                return true;
            }
            entry.depth -= 1;
            if entry.depth == 0 {
                bridge::leave(&mut entry.span);
                entry.owner = 0;
                entry.write_late();
                entry.last = Some(Moment::now());
            }
            false
        });
        if is_guest == Some(true) {
            guests::exit(self.number, id);
        }
    }

    /// Writes to a span, or lets it wait if it is another thread that is in it.
    pub(crate) fn write(&self, id: &Id, now: impl FnOnce(&mut Span), later: impl FnOnce() -> Late) {
        self.with(id, |entry, here| {
            if entry.owner == 0 || entry.owner == here {
                now(&mut entry.span);
                entry.last = entry.last.map(|_| Moment::now());
            } else if entry.late.len() < Self::MAX_LATE {
                entry.late.push(later());
            } else {
                entry.lost += 1;
            }
        });
    }

    /// Ends a span. It may have waited for its children to be closed, and ends when it
    /// was used for the last time.
    pub(crate) fn close(&self, id: &Id) {
        let id = id.into_u64();
        let lost = self.locked(id, |entries, here| {
            let entry = entries.iter_mut().find(|entry| entry.id == id)?;
            if entry.owner != 0 {
                entry.leave_at_last(here);
            }
            let span = std::mem::take(&mut entry.span);
            match entry.last.take() {
                Some(moment) => bridge::end_at(span, moment),
                None => span.end(),
            }
            entry.id = 0;
            entry.ambient = None;
            Some(std::mem::take(&mut entry.lost))
        });
        if let Some(Some(lost @ 1..)) = lost {
            diagnostics::count("tracing.late_writes_lost", lost);
        }
    }

    #[inline]
    fn with<R>(&self, id: &Id, f: impl FnOnce(&mut Entry, u64) -> R) -> Option<R> {
        let id = id.into_u64();
        self.locked(id, |entries, here| {
            let entry = entries.iter_mut().find(|entry| entry.id == id)?;
            Some(f(entry, here))
        })
        .flatten()
    }

    /// Calls `f` behind the lock, with the number of this thread. `None` if this
    /// thread is behind one already: what a provider does with `tracing` while it is
    /// called from here is of no interest.
    #[inline]
    fn locked<R>(&self, id: u64, f: impl FnOnce(&mut Vec<Entry>, u64) -> R) -> Option<R> {
        HERE.try_with(|here| {
            let _busy = Busy::enter(here)?;
            let mut entries = self.bucket(id).0.lock();
            Some(f(&mut entries, here.number()))
        })
        .ok()
        .flatten()
    }

    /// Ids of the registry have a small number, used again at once, in the low bits,
    /// and the thread above. Threads should not meet, and a thread should find its
    /// last bucket again.
    #[inline]
    fn bucket(&self, id: u64) -> &Bucket {
        &self.buckets[(id ^ (id >> 38 << 4)) as usize % Self::BUCKETS]
    }
}

impl Entry {
    /// Somebody is still in a span that is closed: a guard was forgotten.
    #[cold]
    fn leave_at_last(&mut self, here: u64) {
        if self.owner == here {
            bridge::leave(&mut self.span);
        }
        self.owner = 0;
        self.depth = 0;
        self.write_late();
    }

    #[inline]
    fn write_late(&mut self) {
        if !self.late.is_empty() {
            self.late.drain(..).for_each(|late| late(&mut self.span));
        }
    }
}

thread_local! {
    static HERE: Here = const { Here { number: Cell::new(0), is_busy: Cell::new(false) } };
}

/// This thread.
struct Here {
    number: Cell<u64>,
    is_busy: Cell<bool>,
}

impl Here {
    #[inline]
    fn number(&self) -> u64 {
        match self.number.get() {
            0 => self.first_number(),
            number => number,
        }
    }

    #[cold]
    fn first_number(&self) -> u64 {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        self.number.set(NUMBERS.fetch_add(1, Ordering::Relaxed));
        self.number.get()
    }
}

struct Busy<'a>(&'a Here);

impl<'a> Busy<'a> {
    #[inline]
    fn enter(here: &'a Here) -> Option<Self> {
        (!here.is_busy.replace(true)).then_some(Self(here))
    }
}

impl Drop for Busy<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.is_busy.set(false);
    }
}

impl std::fmt::Debug for Spans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Spans({})", self.number)
    }
}
