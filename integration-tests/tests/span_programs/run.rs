//! Runs a program on the facade.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, SystemTime};

use spandrel::{
    self as tracing, Attribute, Context, ContextGuard, Entered, InSpanExt, OwnedAttribute, Parent, Span, SpanBuilder,
    SpanContext, SpanData, SpanId, SpanKind, SpanRef, Status, TraceFlags, TraceId, Tracer,
};
use spandrel_provider_memory::MemoryStore;

use crate::program::{
    Around, Body, CAPTURED, CONTEXTS, Captured, FUTURES, From, GUARDS, Op, Outcome, SLOTS, Start, Target, Write, key,
    value,
};

/// A way that spans go, from the facade to a store.
pub(crate) struct Path {
    pub(crate) tracer: Tracer,
    pub(crate) store: MemoryStore,
    pub(crate) has_extra: bool,
}

/// What came of it.
pub(crate) struct Ran {
    pub(crate) began: SystemTime,
    pub(crate) spans: Vec<SpanData>,
    pub(crate) seen: Vec<Seen>,
}

#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) at: &'static str,
    pub(crate) span: Option<SpanContext>,
    pub(crate) is_recording: bool,
    pub(crate) baggage: Option<String>,
}

const LONG: Duration = Duration::from_secs(60);

pub(crate) fn run(program: &Body, path: &Path) -> Ran {
    let machine = Arc::new(Machine {
        has_extra: path.has_extra,
        tracer: path.tracer,
        began: SystemTime::now(),
        names: AtomicUsize::new(0),
        slots: Mutex::new((0..SLOTS).map(|_| Slot::Empty).collect()),
        contexts: Mutex::new(vec![None; CONTEXTS.into()]),
        futures: Mutex::new((0..FUTURES).map(|_| None).collect()),
        seen: Mutex::default(),
    });
    // On a thread of its own, so that programs leave nothing to each other.
    let main = (Arc::clone(&machine), program.clone());
    let main = thread::spawn(move || {
        let (machine, program) = main;
        machine.begin_thread();
        for (context, how) in (0..).zip(CAPTURED) {
            machine.set_context(context, how);
        }
        let _ = catch_unwind(AssertUnwindSafe(|| machine.run(&program, None)));
        machine.end_guards();
        for future in 0..FUTURES {
            machine.drop_future(future);
        }
        for slot in 0..SLOTS {
            drop(machine.set_slot(slot, Slot::Empty));
        }
    });
    main.join().expect("what panics in a program is caught there");
    path.tracer.flush(LONG).expect("a store in memory takes every span");
    let seen = mem::take(&mut *machine.seen.lock().unwrap());
    Ran { began: machine.began, spans: path.store.take(), seen }
}

pub(crate) fn remote(is_sampled: bool) -> SpanContext {
    let flags = if is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let byte = 1 + u8::from(is_sampled);
    SpanContext::new(TraceId::from_bytes([byte; 16]), SpanId::from_bytes([byte; 8]), flags).with_remote(true)
}

struct Machine {
    has_extra: bool,
    tracer: Tracer,
    began: SystemTime,
    names: AtomicUsize,
    slots: Mutex<Vec<Slot>>,
    contexts: Mutex<Vec<Option<Context>>>,
    futures: Mutex<Vec<Option<Future>>>,
    seen: Mutex<Vec<Seen>>,
}

enum Slot {
    Empty,
    Here(Owned),
    /// With a guard, a closure or a future.
    Away,
}

struct Owned {
    span: Box<Span>,
    forgotten_on: Option<ThreadId>,
}

struct Future {
    future: Pin<Box<dyn std::future::Future<Output = Result<(), &'static str>> + Send>>,
    /// Where a guard of its span was forgotten before.
    forgotten_on: Option<ThreadId>,
    may_be_polled: bool,
}

/// The guards of this thread.
struct Guards {
    spans: [Option<Held>; SLOTS as usize],
    contexts: [Option<ContextGuard>; GUARDS as usize],
}

thread_local! {
    static GUARDS_HERE: RefCell<Guards> =
        const { RefCell::new(Guards { spans: [const { None }; SLOTS as usize], contexts: [const { None }; GUARDS as usize] }) };
}

/// A guard together with the span that it borrows.
struct Held {
    // In a box, so that no call has the borrow as an argument while it frees the span.
    guard: Box<Entered<'static>>,
    span: *mut Span,
}

impl Held {
    fn enter(span: Box<Span>) -> Self {
        let span = Box::into_raw(span);
        // SAFETY: the span is used again only when `leave` or `forget` has consumed
        // the guard, and is freed only then.
        let guard = Box::new(unsafe { (*span).enter() });
        Self { guard, span }
    }

    fn leave(self) -> Box<Span> {
        drop(*self.guard);
        // SAFETY: it comes from the box in `enter`, and the guard is gone.
        unsafe { Box::from_raw(self.span) }
    }

    fn forget(self) -> Box<Span> {
        mem::forget(*self.guard);
        // SAFETY: as in `leave`; a guard that was forgotten is never used again.
        unsafe { Box::from_raw(self.span) }
    }
}

/// The closures that the program is in, the innermost first.
#[derive(Clone, Copy)]
struct Closures<'a> {
    span: SpanRef<'a>,
    outer: Option<&'a Closures<'a>>,
}

/// Writes to what stands in brackets: a span, or the current one.
macro_rules! writes {
    ($self:ident, $writes:ident, [$($to:tt)+]) => {
        for (write, link) in &$writes {
            match write {
                Write::Attribute(k, v) => $($to)+ set_attribute(&key(*k), value(*v)),
                Write::Attributes(pairs) => {
                    let owned = attributes(pairs);
                    $($to)+ set_attributes(&borrowed(&owned));
                }
                Write::Lazy(k, v) => $($to)+ set_attribute_lazy(&key(*k), || value(*v)),
                Write::Name => $($to)+ set_name(&$self.name()),
                Write::Ok => $($to)+ set_status(Status::Ok),
                Write::Unset => $($to)+ set_status(Status::Unset),
                Write::Error(has_text) => $($to)+ set_status(Status::Error(if *has_text { "wrong" } else { "" })),
                Write::Event(pairs) => {
                    let owned = attributes(pairs);
                    $($to)+ add_event(&$self.name(), &borrowed(&owned));
                }
                Write::Link(_) => {
                    if let Some(link) = link {
                        $($to)+ add_link(link, &[]);
                    }
                }
                Write::RecordError => $($to)+ record_error("failed"),
            }
        }
    };
}

impl Machine {
    fn run(self: &Arc<Self>, body: &Body, closures: Option<&Closures<'_>>) {
        for op in body {
            self.step(op, closures);
            let baggage = Context::current().baggage().get("mark").map(str::to_owned);
            let (span, is_recording) = (tracing::current(), tracing::is_recording());
            self.seen.lock().unwrap().push(Seen { at: "current", span, is_recording, baggage });
        }
    }

    fn step(self: &Arc<Self>, op: &Op, closures: Option<&Closures<'_>>) {
        match op {
            Op::Start(slot, start) => {
                if !matches!(self.slots.lock().unwrap()[usize::from(*slot)], Slot::Away) {
                    let span = Box::new(self.start(start));
                    drop(self.set_slot(*slot, Slot::Here(Owned { span, forgotten_on: None })));
                }
            }
            Op::Write(target, writes) => self.write_to(*target, writes, closures),
            Op::Enter(slot) => {
                if let Some(owned) = self.take_enterable(*slot) {
                    let held = Held::enter(owned.span);
                    GUARDS_HERE.with_borrow_mut(|guards| guards.spans[usize::from(*slot)] = Some(held));
                }
            }
            Op::Leave(slot) => {
                if let Some(held) = GUARDS_HERE.with_borrow_mut(|guards| guards.spans[usize::from(*slot)].take()) {
                    self.set_slot(*slot, Slot::Here(Owned { span: held.leave(), forgotten_on: None }));
                }
            }
            Op::ForgetGuard(slot) => {
                if let Some(held) = GUARDS_HERE.with_borrow_mut(|guards| guards.spans[usize::from(*slot)].take()) {
                    let forgotten_on = Some(thread::current().id());
                    self.set_slot(*slot, Slot::Here(Owned { span: held.forget(), forgotten_on }));
                }
            }
            Op::End(slot) => {
                if let Some(span) = self.take(*slot) {
                    span.end();
                }
            }
            Op::EndAt(slot, seconds) => {
                if let Some(span) = self.take(*slot) {
                    span.end_at(at(self.began, *seconds));
                }
            }
            Op::ForgetSpan(slot) => mem::forget(self.take(*slot)),
            Op::Capture(context, how) => self.set_context(*context, *how),
            Op::Attach(context, guard) => {
                let guard = usize::from(*guard);
                if GUARDS_HERE.with_borrow(|guards| guards.contexts[guard].is_none())
                    && let Some(context) = self.context(*context)
                {
                    let attached = context.attach();
                    GUARDS_HERE.with_borrow_mut(|guards| guards.contexts[guard] = Some(attached));
                }
            }
            Op::Detach(guard) => drop(take_context_guard(*guard)),
            Op::ForgetContextGuard(guard) => mem::forget(take_context_guard(*guard)),
            Op::Closure(start, outcome, body) => self.closure(start, *outcome, body, closures),
            Op::Within(slot, body) => {
                self.with_lent(*slot, |span| {
                    span.within(|span| self.run(body, Some(&Closures { span, outer: closures })));
                });
            }
            Op::Guarded(slot, body) => {
                self.with_lent(*slot, |span| {
                    let _guard = span.enter();
                    self.run(body, closures);
                });
            }
            Op::InContext(context, body) => {
                if let Some(context) = self.context(*context) {
                    context.within(|| self.run(body, closures));
                }
            }
            Op::Catch(body) => {
                let _ = catch_unwind(AssertUnwindSafe(|| self.run(body, closures)));
            }
            Op::Deferred(body, at_end) => {
                let _deferred = Deferred(|| {
                    let _ = catch_unwind(AssertUnwindSafe(|| self.run(at_end, closures)));
                });
                self.run(body, closures);
            }
            Op::Thread(carries, body) => self.on_thread(*carries, body),
            Op::Make(future, around, bodies) => self.make(*future, *around, bodies),
            Op::Poll(future) => self.poll(*future),
            Op::DropFuture(future) => self.drop_future(*future),
            Op::ForgetFuture(future) => {
                let future = self.futures.lock().unwrap()[usize::from(*future)].take();
                mem::forget(future);
            }
            Op::Lend(slot, polls, bodies) => {
                self.with_lent(*slot, |span| {
                    let mut future = pin!(self.script(bodies, Outcome::Good).in_span_mut(span));
                    for _ in 0..*polls {
                        if future.as_mut().poll(&mut waking_nobody()).is_ready() {
                            break;
                        }
                    }
                });
            }
            Op::Panic => resume_unwind(Box::new("by the program")),
        }
    }

    fn closure(self: &Arc<Self>, start: &Start, outcome: Outcome, body: &Body, closures: Option<&Closures<'_>>) {
        let name = self.name();
        let run = |span: SpanRef<'_>| self.run(body, Some(&Closures { span, outer: closures }));
        let try_run = |span: SpanRef<'_>| {
            run(span);
            result(outcome)
        };
        let is_usual = start.is_usual() && !self.has_extra;
        match (is_usual, outcome) {
            (true, Outcome::Plain) => tracing::with_span(&name, run),
            (false, Outcome::Plain) => self.build(&name, start, |builder| builder.run(run)),
            (true, _) => drop(tracing::try_with_span(&name, try_run)),
            (false, _) => drop(self.build(&name, start, |builder| builder.try_run(try_run))),
        }
    }

    fn start(&self, start: &Start) -> Span {
        let name = self.name();
        if start.is_usual() && !self.has_extra {
            return tracing::start_span(&name);
        }
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is for one lifetime only")]
        self.build(&name, start, |builder| builder.start())
    }

    fn build<R>(&self, name: &str, start: &Start, f: impl FnOnce(SpanBuilder<'_>) -> R) -> R {
        let context = match start.parent {
            From::Context(context) => self.context(context),
            _ => None,
        };
        let parent = match (start.parent, &context) {
            (From::Context(_), Some(context)) => Parent::from(context),
            (From::Current | From::Context(_), _) => Parent::Current,
            (From::Root, _) => Parent::Root,
            (From::Slot(slot), _) => Parent::from(self.context_of_slot(slot)),
        };
        let mut builder = tracing::span(name).parent(parent);
        if start.is_client {
            builder = builder.kind(SpanKind::Client);
        }
        if let Some((k, v)) = start.attribute {
            builder = builder.attribute(&key(k), value(v));
        }
        if self.has_extra {
            builder = builder.attribute("extra", true);
        }
        if let Some(link) = start.link.and_then(|slot| self.context_of_slot(slot)) {
            builder = builder.link(&link, &[]);
        }
        f(builder)
    }

    fn write_to(&self, target: Target, writes: &[Write], closures: Option<&Closures<'_>>) {
        let link = |write: &Write| match write {
            Write::Link(slot) => self.context_of_slot(*slot),
            _ => None,
        };
        let writes: Vec<(&Write, Option<SpanContext>)> = writes.iter().map(|write| (write, link(write))).collect();
        match target {
            Target::Current => writes!(self, writes, [tracing::]),
            Target::Slot(slot) => {
                let Some(mut owned) = self.take_owned(slot) else { return };
                let span = &mut owned.span;
                self.see("slot", span.context(), span.is_recording());
                writes!(self, writes, [span.]);
                self.set_slot(slot, Slot::Here(owned));
            }
            Target::Closure(nth) => {
                let mut closures = std::iter::successors(closures, |closures| closures.outer);
                let Some(span) = closures.nth(nth.into()).map(|closures| closures.span) else { return };
                self.see("closure", span.context(), span.is_recording());
                writes!(self, writes, [span.]);
            }
        }
    }

    fn see(&self, at: &'static str, span: Option<SpanContext>, is_recording: bool) {
        self.seen.lock().unwrap().push(Seen { at, span, is_recording, baggage: None });
    }

    fn name(&self) -> String {
        format!("name {}", self.number())
    }

    fn number(&self) -> usize {
        self.names.fetch_add(1, Ordering::Relaxed) + 1
    }
}

fn attributes(pairs: &[(u8, u8)]) -> Vec<OwnedAttribute> {
    pairs.iter().map(|(k, v)| OwnedAttribute::new(key(*k), value(*v))).collect()
}

fn borrowed(owned: &[OwnedAttribute]) -> Vec<Attribute<'_>> {
    owned.iter().map(OwnedAttribute::as_attribute).collect()
}

/// Slots and contexts. No lock is held while a span is worked with.
impl Machine {
    fn set_slot(&self, slot: u8, content: Slot) -> Slot {
        mem::replace(&mut self.slots.lock().unwrap()[usize::from(slot)], content)
    }

    fn take_owned(&self, slot: u8) -> Option<Owned> {
        match self.set_slot(slot, Slot::Away) {
            Slot::Here(owned) => Some(owned),
            other => {
                self.set_slot(slot, other);
                None
            }
        }
    }

    fn take(&self, slot: u8) -> Option<Span> {
        let owned = self.take_owned(slot)?;
        self.set_slot(slot, Slot::Empty);
        Some(*owned.span)
    }

    /// Takes a span that may be entered on this thread.
    fn take_enterable(&self, slot: u8) -> Option<Owned> {
        let owned = self.take_owned(slot)?;
        if owned.forgotten_on.is_none_or(|on| on == thread::current().id()) {
            return Some(owned);
        }
        self.set_slot(slot, Slot::Here(owned));
        None
    }

    fn with_lent(&self, slot: u8, f: impl FnOnce(&mut Span)) {
        let Some(mut owned) = self.take_enterable(slot) else { return };
        let result = catch_unwind(AssertUnwindSafe(|| f(&mut owned.span)));
        self.set_slot(slot, Slot::Here(Owned { forgotten_on: None, ..owned }));
        if let Err(panic) = result {
            resume_unwind(panic);
        }
    }

    fn context_of_slot(&self, slot: u8) -> Option<SpanContext> {
        match &self.slots.lock().unwrap()[usize::from(slot)] {
            Slot::Here(owned) => owned.span.context(),
            _ => None,
        }
    }

    fn context(&self, context: u8) -> Option<Context> {
        self.contexts.lock().unwrap()[usize::from(context)].clone()
    }

    fn set_context(&self, context: u8, how: Captured) {
        let captured = self.capture(how);
        self.contexts.lock().unwrap()[usize::from(context)] = Some(captured);
    }

    fn capture(&self, how: Captured) -> Context {
        match how {
            Captured::Current => Context::current(),
            Captured::Root => Context::root(),
            Captured::With(k, v) => {
                let context = Context::current().with_attribute(&key(k), value(v));
                context.with_baggage_member("mark", &v.to_string()).expect("a number is a value")
            }
            Captured::Slot(slot) => match self.context_of_slot(slot) {
                Some(span) => Context::current().with_span_context(span),
                None => Context::current(),
            },
            Captured::Remote(is_sampled) => Context::current().with_span_context(remote(is_sampled)),
        }
    }
}

/// Threads.
impl Machine {
    fn begin_thread(&self) {
        mem::forget(self.tracer.context().attach());
    }

    fn on_thread(self: &Arc<Self>, carries: bool, body: &Body) {
        let (machine, body) = (Arc::clone(self), body.clone());
        let context = carries.then(Context::current);
        let run = move || {
            let _ = catch_unwind(AssertUnwindSafe(|| machine.run(&body, None)));
            machine.end_guards();
        };
        let machine = Arc::clone(self);
        let thread = thread::spawn(move || match context {
            Some(context) => context.within(run),
            None => {
                machine.begin_thread();
                run();
            }
        });
        thread.join().expect("what panics in a program is caught there");
    }

    fn end_guards(self: &Arc<Self>) {
        for slot in 0..SLOTS {
            self.step(&Op::Leave(slot), None);
        }
        for guard in 0..GUARDS {
            self.step(&Op::Detach(guard), None);
        }
    }
}

fn take_context_guard(guard: u8) -> Option<ContextGuard> {
    GUARDS_HERE.with_borrow_mut(|guards| guards.contexts[usize::from(guard)].take())
}

/// Futures.
impl Machine {
    fn make(self: &Arc<Self>, place: u8, around: Around, bodies: &[Body]) {
        let mut forgotten_on = None;
        let future: Pin<Box<dyn std::future::Future<Output = _> + Send>> = match around {
            Around::New(outcome) => {
                let name = self.name();
                let script = self.script(bodies, outcome);
                match (self.has_extra, outcome) {
                    (false, Outcome::Plain) => Box::pin(tracing::with_span_async(&name, script)),
                    (false, _) => Box::pin(tracing::try_with_span_async(&name, script)),
                    (true, _) => {
                        let span = tracing::span(&name).attribute("extra", true).start();
                        in_span(script, span, outcome)
                    }
                }
            }
            Around::Slot(slot, outcome) => {
                let Some(owned) = self.take_enterable(slot) else { return };
                self.set_slot(slot, Slot::Empty);
                forgotten_on = owned.forgotten_on;
                in_span(self.script(bodies, outcome), *owned.span, outcome)
            }
            Around::Context(context) => match self.context(context) {
                Some(context) => Box::pin(self.script(bodies, Outcome::Good).in_context(context)),
                None => return,
            },
        };
        self.drop_future(place);
        self.futures.lock().unwrap()[usize::from(place)] = Some(Future { future, forgotten_on, may_be_polled: true });
    }

    fn poll(&self, place: u8) {
        let future = self.futures.lock().unwrap()[usize::from(place)].take();
        let Some(mut future) = future else { return };
        let mut result = Ok(());
        if future.may_be_polled && future.forgotten_on.is_none_or(|on| on == thread::current().id()) {
            future.forgotten_on = None;
            let polled = catch_unwind(AssertUnwindSafe(|| future.future.as_mut().poll(&mut waking_nobody())));
            future.may_be_polled = matches!(polled, Ok(Poll::Pending));
            result = polled.map(|_| ());
            // A poll may have put another one there.
            self.drop_future(place);
        }
        self.futures.lock().unwrap()[usize::from(place)] = Some(future);
        if let Err(panic) = result {
            resume_unwind(panic);
        }
    }

    fn drop_future(&self, place: u8) {
        let future = self.futures.lock().unwrap()[usize::from(place)].take();
        drop(future);
    }

    fn script(self: &Arc<Self>, bodies: &[Body], outcome: Outcome) -> Script {
        Script { machine: Arc::clone(self), bodies: bodies.iter().cloned().collect(), number: self.number(), outcome }
    }
}

fn in_span(
    script: Script,
    span: Span,
    outcome: Outcome,
) -> Pin<Box<dyn std::future::Future<Output = Result<(), &'static str>> + Send>> {
    match outcome {
        Outcome::Plain => Box::pin(script.in_span(span)),
        _ => Box::pin(script.try_in_span(span)),
    }
}

/// A future that does one of the bodies in each poll, and says when it is dropped.
struct Script {
    machine: Arc<Machine>,
    bodies: VecDeque<Body>,
    number: usize,
    outcome: Outcome,
}

impl std::future::Future for Script {
    type Output = Result<(), &'static str>;

    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        match self.bodies.pop_front() {
            Some(body) => {
                self.machine.run(&body, None);
                Poll::Pending
            }
            None => Poll::Ready(result(self.outcome)),
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        tracing::add_event(&format!("dropped {}", self.number), &[]);
    }
}

struct Deferred<F: FnMut()>(F);

impl<F: FnMut()> Drop for Deferred<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn result(outcome: Outcome) -> Result<(), &'static str> {
    if outcome == Outcome::Bad { Err("failed") } else { Ok(()) }
}

fn waking_nobody() -> std::task::Context<'static> {
    std::task::Context::from_waker(Waker::noop())
}

/// So many seconds after.
pub(crate) fn at(time: SystemTime, seconds: i8) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs().into());
    if seconds < 0 { time - distance } else { time + distance }
}
