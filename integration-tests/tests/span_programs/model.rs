//! What a program means, by what the documentation says; it knows nothing of the facade.

use std::collections::{BTreeMap, VecDeque};

use spandrel::OwnedValue;

use crate::program::{
    Around, Body, CAPTURED, CONTEXTS, Captured, FUTURES, From, GUARDS, Op, Outcome, SLOTS, Start, Target, Write, key,
    value,
};

/// How spans are recorded, as far as it changes what is expected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Every span starts with one more attribute.
    pub(crate) has_extra: bool,
    pub(crate) samples: bool,
    /// Of attributes, events and links.
    pub(crate) limit: usize,
}

/// What a program leads to.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) spans: Vec<Span>,
    /// What can be seen while it runs, one entry after the other.
    pub(crate) seen: Vec<Seen>,
}

/// The current span, or that of a handle, and whether it is recording.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) at: String,
    pub(crate) span: Option<Id>,
    pub(crate) is_recording: bool,
    /// Of the current context.
    pub(crate) baggage: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    /// The so many-th span that was started.
    Local(usize),
    /// Of another service: sampled or not.
    Remote(bool),
}

#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) parent: Option<Id>,
    /// The first span of the trace here, or the remote one.
    pub(crate) trace: Id,
    pub(crate) is_client: bool,
    pub(crate) is_sampled: bool,
    pub(crate) attributes: Values,
    pub(crate) events: Vec<(String, Values)>,
    pub(crate) links: Vec<Id>,
    pub(crate) dropped: (usize, usize, usize),
    pub(crate) status: Status,
    pub(crate) has_ended: bool,
    /// So many seconds after the program began, or when it was.
    pub(crate) ended_at: Option<i8>,
    place: Place,
    /// What it makes current together with itself.
    ambient: Option<Ambient>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Status {
    Unset,
    Ok,
    Error(String),
}

/// Who has a span that has not ended.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Handle,
    Thread(usize),
}

/// Attributes, whose order is not told.
pub(crate) type Values = BTreeMap<String, OwnedValue>;

/// What a context has besides a span.
#[derive(Debug, Clone, Default)]
struct Ambient {
    attributes: Vec<(String, OwnedValue)>,
    baggage: Option<String>,
}

pub(crate) fn expect(program: &Body, rules: Rules) -> Outcomes {
    let mut model = Model {
        rules,
        out: Outcomes::default(),
        names: 0,
        slots: vec![Slot::Empty; SLOTS.into()],
        contexts: vec![None; CONTEXTS.into()],
        futures: (0..FUTURES).map(|_| None).collect(),
        threads: Vec::new(),
    };
    let main = model.begin_thread();
    for (context, how) in CAPTURED.into_iter().enumerate() {
        let captured = model.capture(main, how);
        model.contexts[context] = Some(captured);
    }
    let _ = model.run(main, program, &[]);
    model.end_guards(main);
    for future in 0..FUTURES {
        model.drop_future(main, future);
    }
    for slot in 0..usize::from(SLOTS) {
        if let Slot::Here(handle) = std::mem::replace(&mut model.slots[slot], Slot::Empty) {
            model.drop_handle(main, handle, None);
        }
    }
    model.end_thread(main);
    model.out
}

struct Model {
    rules: Rules,
    out: Outcomes,
    names: usize,
    slots: Vec<Slot>,
    contexts: Vec<Option<Context>>,
    futures: Vec<Option<Future>>,
    threads: Vec<Thread>,
}

#[derive(Clone, Copy, PartialEq)]
enum Slot {
    Empty,
    Here(Handle),
    /// A guard has it, on this thread.
    Held(Handle, usize),
    /// A closure or future has it.
    Lent,
}

#[derive(Clone, Copy, PartialEq)]
struct Handle {
    span: usize,
    /// The thread where its guard was forgotten.
    forgotten_on: Option<usize>,
}

#[derive(Clone)]
struct Context {
    span: Option<Id>,
    ambient: Ambient,
}

struct Future {
    around: FutureAround,
    bodies: VecDeque<Body>,
    number: usize,
    has_panicked: bool,
    is_done: bool,
}

enum FutureAround {
    Span(Handle, Outcome),
    Context(Context),
}

/// What this thread is in, the innermost last.
#[derive(Default)]
struct Thread {
    frames: Vec<Frame>,
    guards: Vec<Option<usize>>,
    keys: usize,
}

struct Frame {
    key: usize,
    what: What,
}

enum What {
    Span(usize),
    Context(Context),
}

struct Unwinds;

impl Model {
    fn run(&mut self, t: usize, body: &Body, closures: &[usize]) -> Result<(), Unwinds> {
        for op in body {
            self.step(t, op, closures)?;
            self.look(t);
        }
        Ok(())
    }

    fn step(&mut self, t: usize, op: &Op, closures: &[usize]) -> Result<(), Unwinds> {
        match op {
            Op::Start(slot, start) => {
                if self.is_free(*slot) {
                    let span = self.start(t, start);
                    self.put(t, *slot, Handle { span, forgotten_on: None });
                }
            }
            Op::Write(target, writes) => self.write_to(t, *target, writes, closures),
            Op::Enter(slot) => {
                if let Some(mut handle) = self.take_enterable(t, *slot, Slot::Empty) {
                    handle.forgotten_on = None;
                    self.enter(t, handle.span);
                    self.slots[usize::from(*slot)] = Slot::Held(handle, t);
                }
            }
            Op::Leave(slot) => {
                if let Slot::Held(handle, on) = self.slots[usize::from(*slot)]
                    && on == t
                {
                    self.leave(t, handle.span);
                    self.slots[usize::from(*slot)] = Slot::Here(handle);
                }
            }
            Op::ForgetGuard(slot) => {
                if let Slot::Held(handle, on) = self.slots[usize::from(*slot)]
                    && on == t
                {
                    self.slots[usize::from(*slot)] = Slot::Here(Handle { forgotten_on: Some(t), ..handle });
                }
            }
            Op::End(slot) => self.end_slot(t, *slot, None),
            Op::EndAt(slot, seconds) => self.end_slot(t, *slot, Some(*seconds)),
            Op::ForgetSpan(slot) => {
                if let Slot::Here(_) = self.slots[usize::from(*slot)] {
                    self.slots[usize::from(*slot)] = Slot::Empty;
                }
            }
            Op::Capture(context, how) => {
                let captured = self.capture(t, *how);
                self.contexts[usize::from(*context)] = Some(captured);
            }
            Op::Attach(context, guard) => {
                let guard = usize::from(*guard);
                if self.threads[t].guards[guard].is_none()
                    && let Some(context) = self.contexts[usize::from(*context)].clone()
                {
                    let key = self.push(t, What::Context(context));
                    self.threads[t].guards[guard] = Some(key);
                }
            }
            Op::Detach(guard) => {
                if let Some(key) = self.threads[t].guards[usize::from(*guard)].take() {
                    self.remove(t, key);
                }
            }
            Op::ForgetContextGuard(guard) => self.threads[t].guards[usize::from(*guard)] = None,
            Op::Closure(start, outcome, body) => {
                let span = self.start(t, start);
                self.enter(t, span);
                let result = self.run(t, body, &[closures, &[span]].concat());
                match (&result, outcome) {
                    (Err(_), _) => self.set_status(span, Status::Error("panicked".into())),
                    (Ok(()), Outcome::Bad) => self.record_error(span),
                    _ => {}
                }
                self.leave_scope(t, span);
                self.end(span, None);
                return result;
            }
            Op::Within(slot, body) => {
                if let Some(handle) = self.take_enterable(t, *slot, Slot::Lent) {
                    self.enter(t, handle.span);
                    let result = self.run(t, body, &[closures, &[handle.span]].concat());
                    self.leave_scope(t, handle.span);
                    if result.is_err() {
                        self.set_status(handle.span, Status::Error("panicked".into()));
                    }
                    self.slots[usize::from(*slot)] = Slot::Here(Handle { forgotten_on: None, ..handle });
                    return result;
                }
            }
            Op::Guarded(slot, body) => {
                if let Some(handle) = self.take_enterable(t, *slot, Slot::Lent) {
                    self.enter(t, handle.span);
                    let result = self.run(t, body, closures);
                    self.leave(t, handle.span);
                    self.slots[usize::from(*slot)] = Slot::Here(Handle { forgotten_on: None, ..handle });
                    return result;
                }
            }
            Op::InContext(context, body) => {
                if let Some(context) = self.contexts[usize::from(*context)].clone() {
                    let key = self.push(t, What::Context(context));
                    let result = self.run(t, body, closures);
                    self.sweep(t, key);
                    return result;
                }
            }
            Op::Catch(body) => {
                let _ = self.run(t, body, closures);
            }
            Op::Deferred(body, at_end) => {
                let result = self.run(t, body, closures);
                let _ = self.run(t, at_end, closures);
                return result;
            }
            Op::Thread(carries, body) => {
                let carried = carries.then(|| self.capture(t, Captured::Current));
                let other = self.begin_thread();
                let key = carried.map(|context| self.push(other, What::Context(context)));
                let _ = self.run(other, body, &[]);
                self.end_guards(other);
                if let Some(key) = key {
                    self.sweep(other, key);
                }
                self.end_thread(other);
            }
            Op::Make(future, around, bodies) => self.make(t, *future, *around, bodies),
            Op::Poll(future) => return self.poll(t, *future),
            Op::DropFuture(future) => self.drop_future(t, *future),
            Op::ForgetFuture(future) => self.futures[usize::from(*future)] = None,
            Op::Lend(slot, polls, bodies) => {
                if let Some(handle) = self.take_enterable(t, *slot, Slot::Lent) {
                    let result = self.lend(t, handle.span, *polls, bodies);
                    self.slots[usize::from(*slot)] = Slot::Here(Handle { forgotten_on: None, ..handle });
                    return result;
                }
            }
            Op::Panic => return Err(Unwinds),
        }
        Ok(())
    }
}

/// Spans and what is written to them.
impl Model {
    fn start(&mut self, t: usize, start: &Start) -> usize {
        let current = Context { span: self.current(t), ambient: self.ambient(t) };
        let (parent, ambient, own_ambient) = match start.parent {
            From::Current => (current.span, current.ambient, None),
            From::Root => (None, current.ambient, None),
            From::Slot(slot) => (self.id_of_slot(t, slot), current.ambient, None),
            From::Context(context) => match self.contexts[usize::from(context)].clone() {
                Some(context) => (context.span, context.ambient.clone(), Some(context.ambient)),
                None => (current.span, current.ambient, None),
            },
        };
        let number = self.out.spans.len();
        let trace = match parent {
            None => Id::Local(number),
            Some(Id::Local(parent)) => self.out.spans[parent].trace,
            Some(remote) => remote,
        };
        let is_sampled = self.rules.samples
            && match parent {
                None => true,
                Some(Id::Local(parent)) => self.out.spans[parent].is_sampled,
                Some(Id::Remote(is_sampled)) => is_sampled,
            };
        let name = self.name();
        self.out.spans.push(Span {
            name,
            parent,
            trace,
            is_client: start.is_client,
            is_sampled,
            attributes: BTreeMap::new(),
            events: Vec::new(),
            links: Vec::new(),
            dropped: (0, 0, 0),
            status: Status::Unset,
            has_ended: false,
            ended_at: None,
            place: Place::Handle,
            ambient: own_ambient,
        });
        let own: Vec<(String, OwnedValue)> = start.attribute.iter().map(|(k, v)| (key(*k), value(*v))).collect();
        let extra = self.rules.has_extra.then(|| ("extra".to_owned(), OwnedValue::Bool(true)));
        let own: Vec<(String, OwnedValue)> = own.into_iter().chain(extra).collect();
        for (key, value) in ambient.attributes.iter().filter(|(key, _)| !own.iter().any(|(k, _)| k == key)).chain(&own)
        {
            self.set_attribute(number, key, value);
        }
        if let Some(link) = start.link.and_then(|slot| self.id_of_slot(t, slot)) {
            self.add_link(number, link);
        }
        number
    }

    fn write_to(&mut self, t: usize, target: Target, writes: &[Write], closures: &[usize]) {
        let span = match target {
            Target::Current => self.current_span(t),
            Target::Slot(slot) => {
                let Slot::Here(handle) = self.slots[usize::from(slot)] else { return };
                let reachable = self.is_reachable(t, handle.span);
                self.see("slot", reachable.then_some(Id::Local(handle.span)));
                reachable.then_some(handle.span)
            }
            Target::Closure(nth) => {
                let Some(span) = closures.iter().rev().nth(nth.into()).copied() else { return };
                let is_within = self.out.spans[span].place == Place::Thread(t) && !self.out.spans[span].has_ended;
                self.see("closure", is_within.then_some(Id::Local(span)));
                is_within.then_some(span)
            }
        };
        for write in writes {
            self.write(t, span, write);
        }
    }

    fn write(&mut self, t: usize, span: Option<usize>, write: &Write) {
        // Names are used up whether or not anybody listens.
        let name = match write {
            Write::Name | Write::Event(_) => self.name(),
            _ => String::new(),
        };
        let link = match write {
            Write::Link(slot) => self.id_of_slot(t, *slot),
            _ => None,
        };
        let Some(span) = span.filter(|span| self.is_recording(*span)) else { return };
        match write {
            Write::Attribute(k, v) | Write::Lazy(k, v) => self.set_attribute(span, &key(*k), &value(*v)),
            Write::Attributes(pairs) => pairs.iter().for_each(|(k, v)| self.set_attribute(span, &key(*k), &value(*v))),
            Write::Name => self.out.spans[span].name = name,
            Write::Ok => self.set_status(span, Status::Ok),
            Write::Unset => {}
            Write::Error(has_text) => {
                let text = if *has_text { "wrong" } else { "" };
                self.set_status(span, Status::Error(text.into()));
            }
            Write::Event(pairs) => {
                let details = pairs.iter().map(|(k, v)| (key(*k), value(*v))).filter(|(k, _)| !k.is_empty()).collect();
                self.add_event(span, name, details);
            }
            Write::Link(_) => {
                if let Some(link) = link {
                    self.add_link(span, link);
                }
            }
            Write::RecordError => self.record_error(span),
        }
    }

    fn set_attribute(&mut self, span: usize, key: &str, value: &OwnedValue) {
        let limit = self.rules.limit;
        let span = &mut self.out.spans[span];
        if key.is_empty() {
        } else if span.attributes.contains_key(key) || span.attributes.len() < limit {
            span.attributes.insert(key.to_owned(), value.clone());
        } else {
            span.dropped.0 += 1;
        }
    }

    fn add_event(&mut self, span: usize, name: String, details: Values) {
        let limit = self.rules.limit;
        let span = &mut self.out.spans[span];
        if span.events.len() < limit {
            span.events.push((name, details));
        } else {
            span.dropped.1 += 1;
        }
    }

    fn add_link(&mut self, span: usize, link: Id) {
        let limit = self.rules.limit;
        let span = &mut self.out.spans[span];
        if span.links.len() < limit {
            span.links.push(link);
        } else {
            span.dropped.2 += 1;
        }
    }

    /// `Ok` is final; an error without a text keeps an earlier one.
    fn set_status(&mut self, span: usize, status: Status) {
        if !self.is_recording(span) {
            return;
        }
        let span = &mut self.out.spans[span];
        let says_less = status == Status::Error(String::new()) && matches!(span.status, Status::Error(_));
        if span.status != Status::Ok && !says_less {
            span.status = status;
        }
    }

    fn record_error(&mut self, span: usize) {
        if self.is_recording(span) {
            let details = [("exception.message".to_owned(), OwnedValue::Str("failed".into()))].into();
            self.add_event(span, "exception".into(), details);
            self.set_status(span, Status::Error("failed".into()));
        }
    }

    fn end(&mut self, span: usize, at: Option<i8>) {
        let span = &mut self.out.spans[span];
        if !span.has_ended {
            span.has_ended = true;
            span.ended_at = at;
        }
    }

    fn is_recording(&self, span: usize) -> bool {
        self.out.spans[span].is_sampled && !self.out.spans[span].has_ended
    }

    /// By its handle: one whose guard was forgotten on another thread is not.
    fn is_reachable(&self, t: usize, span: usize) -> bool {
        let span = &self.out.spans[span];
        !span.has_ended && [Place::Handle, Place::Thread(t)].contains(&span.place)
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("name {}", self.names)
    }
}

/// Handles.
impl Model {
    fn is_free(&self, slot: u8) -> bool {
        matches!(self.slots[usize::from(slot)], Slot::Empty | Slot::Here(_))
    }

    fn put(&mut self, t: usize, slot: u8, handle: Handle) {
        if let Slot::Here(before) = std::mem::replace(&mut self.slots[usize::from(slot)], Slot::Here(handle)) {
            self.drop_handle(t, before, None);
        }
    }

    /// Takes a span that may be entered here.
    fn take_enterable(&mut self, t: usize, slot: u8, leaves: Slot) -> Option<Handle> {
        match self.slots[usize::from(slot)] {
            Slot::Here(handle) if handle.forgotten_on.is_none_or(|on| on == t) => {
                self.slots[usize::from(slot)] = leaves;
                Some(handle)
            }
            _ => None,
        }
    }

    fn end_slot(&mut self, t: usize, slot: u8, at: Option<i8>) {
        if let Slot::Here(handle) = self.slots[usize::from(slot)] {
            self.slots[usize::from(slot)] = Slot::Empty;
            self.drop_handle(t, handle, at);
        }
    }

    /// Ends the span, unless its live half lies on another thread.
    fn drop_handle(&mut self, t: usize, handle: Handle, at: Option<i8>) {
        if self.is_reachable(t, handle.span) {
            self.leave(t, handle.span);
            self.end(handle.span, at);
        }
    }

    fn id_of_slot(&self, t: usize, slot: u8) -> Option<Id> {
        match self.slots[usize::from(slot)] {
            Slot::Here(handle) if self.is_reachable(t, handle.span) => Some(Id::Local(handle.span)),
            _ => None,
        }
    }
}

/// What is current.
impl Model {
    fn current(&self, t: usize) -> Option<Id> {
        match &self.threads[t].frames.last()?.what {
            What::Span(span) => Some(Id::Local(*span)),
            What::Context(context) => context.span,
        }
    }

    /// That can be written to.
    fn current_span(&self, t: usize) -> Option<usize> {
        match self.threads[t].frames.last()?.what {
            What::Span(span) => Some(span),
            What::Context(_) => None,
        }
    }

    fn ambient(&self, t: usize) -> Ambient {
        let own = |frame: &Frame| match &frame.what {
            What::Span(span) => self.out.spans[*span].ambient.clone(),
            What::Context(context) => Some(context.ambient.clone()),
        };
        self.threads[t].frames.iter().rev().find_map(own).unwrap_or_default()
    }

    fn capture(&mut self, t: usize, how: Captured) -> Context {
        let mut context = Context { span: self.current(t), ambient: self.ambient(t) };
        match how {
            Captured::Current => {}
            Captured::Root => context.span = None,
            Captured::With(k, v) => {
                context.ambient.attributes.retain(|(known, _)| *known != key(k));
                context.ambient.attributes.push((key(k), value(v)));
                context.ambient.baggage = Some(v.to_string());
            }
            Captured::Slot(slot) => context.span = self.id_of_slot(t, slot).or(context.span),
            Captured::Remote(is_sampled) => context.span = Some(Id::Remote(is_sampled)),
        }
        context
    }

    fn push(&mut self, t: usize, what: What) -> usize {
        let thread = &mut self.threads[t];
        thread.keys += 1;
        thread.frames.push(Frame { key: thread.keys, what });
        thread.keys
    }

    /// Takes out one that may have been left by a scope around it.
    fn remove(&mut self, t: usize, key: usize) {
        self.threads[t].frames.retain(|frame| frame.key != key);
    }

    /// Makes it the innermost one, also where its guard was forgotten.
    fn enter(&mut self, t: usize, span: usize) {
        if !self.out.spans[span].has_ended {
            self.leave(t, span);
            self.push(t, What::Span(span));
            self.out.spans[span].place = Place::Thread(t);
        }
    }

    fn leave(&mut self, t: usize, span: usize) {
        if !self.out.spans[span].has_ended {
            self.threads[t].frames.retain(|frame| !matches!(frame.what, What::Span(s) if s == span));
            self.out.spans[span].place = Place::Handle;
        }
    }

    /// What was entered within a scope and not left ends with it.
    fn leave_scope(&mut self, t: usize, span: usize) {
        let key = self.threads[t].frames.iter().find(|frame| matches!(frame.what, What::Span(s) if s == span));
        if let Some(key) = key.map(|frame| frame.key) {
            self.out.spans[span].place = Place::Handle;
            self.sweep(t, key);
        }
    }

    fn sweep(&mut self, t: usize, key: usize) {
        while let Some(frame) = self.threads[t].frames.pop() {
            if frame.key == key {
                return;
            }
            if let What::Span(span) = frame.what {
                self.end(span, None);
            }
        }
    }

    fn look(&mut self, t: usize) {
        let current = self.current(t);
        let is_recording = self.current_span(t).is_some_and(|span| self.is_recording(span));
        let baggage = self.ambient(t).baggage;
        self.out.seen.push(Seen { at: "current".into(), span: current, is_recording, baggage });
    }

    fn see(&mut self, at: &str, id: Option<Id>) {
        let is_recording = matches!(id, Some(Id::Local(span)) if self.is_recording(span));
        self.out.seen.push(Seen { at: at.into(), span: id, is_recording, baggage: None });
    }

    fn begin_thread(&mut self) -> usize {
        self.threads.push(Thread { guards: vec![None; GUARDS.into()], ..Thread::default() });
        self.threads.len() - 1
    }

    /// Guards are dropped before the thread ends.
    fn end_guards(&mut self, t: usize) {
        for slot in 0..SLOTS {
            let _ = self.step(t, &Op::Leave(slot), &[]);
        }
        for guard in 0..GUARDS {
            let _ = self.step(t, &Op::Detach(guard), &[]);
        }
    }

    fn end_thread(&mut self, t: usize) {
        self.sweep(t, 0);
    }
}

/// Futures.
impl Model {
    fn make(&mut self, t: usize, future: u8, around: Around, bodies: &[Body]) {
        let around = match around {
            Around::New(outcome) => {
                let start = Start { parent: From::Current, is_client: false, attribute: None, link: None };
                let span = self.start(t, &start);
                FutureAround::Span(Handle { span, forgotten_on: None }, outcome)
            }
            Around::Slot(slot, outcome) => match self.take_enterable(t, slot, Slot::Empty) {
                Some(handle) => FutureAround::Span(handle, outcome),
                None => return,
            },
            Around::Context(context) => match self.contexts[usize::from(context)].clone() {
                Some(context) => FutureAround::Context(context),
                None => return,
            },
        };
        self.names += 1;
        let made = Future {
            around,
            bodies: bodies.iter().cloned().collect(),
            number: self.names,
            has_panicked: false,
            is_done: false,
        };
        self.drop_future(t, future);
        self.futures[usize::from(future)] = Some(made);
    }

    fn poll(&mut self, t: usize, place: u8) -> Result<(), Unwinds> {
        let Some(mut future) = self.futures[usize::from(place)].take() else { return Ok(()) };
        if future.is_done || future.has_panicked || !future.may_be_polled_on(t) {
            self.futures[usize::from(place)] = Some(future);
            return Ok(());
        }
        let key = self.enter_future(t, &mut future);
        let result = match future.bodies.pop_front() {
            Some(body) => self.run(t, &body, &[]),
            None => {
                future.is_done = true;
                self.write_dropped(t, future.number);
                Ok(())
            }
        };
        future.has_panicked = result.is_err();
        self.leave_future(t, &future, key);
        if let FutureAround::Span(handle, outcome) = &future.around {
            if future.has_panicked {
                self.set_status(handle.span, Status::Error("panicked".into()));
            }
            if future.is_done {
                if *outcome == Outcome::Bad {
                    self.record_error(handle.span);
                }
                self.end(handle.span, None);
            }
        }
        // A poll may have put another one there.
        self.drop_future(t, place);
        self.futures[usize::from(place)] = Some(future);
        result
    }

    fn drop_future(&mut self, t: usize, place: u8) {
        let Some(mut future) = self.futures[usize::from(place)].take() else { return };
        if !future.may_be_polled_on(t) {
            // Its span lies elsewhere; what it does at the end it does outside.
            self.write_dropped(t, future.number);
            return;
        }
        if !future.is_done {
            let key = self.enter_future(t, &mut future);
            self.write_dropped(t, future.number);
            self.leave_future(t, &future, key);
        }
        if let FutureAround::Span(handle, _) = future.around {
            self.drop_handle(t, handle, None);
        }
    }

    fn enter_future(&mut self, t: usize, future: &mut Future) -> usize {
        match &mut future.around {
            FutureAround::Span(handle, _) => {
                handle.forgotten_on = None;
                let span = handle.span;
                self.enter(t, span);
                0
            }
            FutureAround::Context(context) => {
                let context = context.clone();
                self.push(t, What::Context(context))
            }
        }
    }

    fn leave_future(&mut self, t: usize, future: &Future, key: usize) {
        match &future.around {
            FutureAround::Span(handle, _) => self.leave_scope(t, handle.span),
            FutureAround::Context(_) => self.sweep(t, key),
        }
    }

    fn lend(&mut self, t: usize, span: usize, polls: u8, bodies: &[Body]) -> Result<(), Unwinds> {
        self.names += 1;
        let number = self.names;
        for i in 0..usize::from(polls) {
            self.enter(t, span);
            let result = match bodies.get(i) {
                Some(body) => self.run(t, body, &[]),
                None => {
                    self.write_dropped(t, number);
                    self.leave_scope(t, span);
                    return Ok(());
                }
            };
            self.leave_scope(t, span);
            if result.is_err() {
                self.set_status(span, Status::Error("panicked".into()));
                self.enter(t, span);
                self.write_dropped(t, number);
                self.leave_scope(t, span);
                return result;
            }
        }
        self.enter(t, span);
        self.write_dropped(t, number);
        self.leave_scope(t, span);
        Ok(())
    }

    /// A future says so when it is dropped.
    fn write_dropped(&mut self, t: usize, number: usize) {
        if let Some(span) = self.current_span(t).filter(|span| self.is_recording(*span)) {
            self.add_event(span, format!("dropped {number}"), BTreeMap::new());
        }
    }
}

impl Future {
    fn may_be_polled_on(&self, t: usize) -> bool {
        match &self.around {
            FutureAround::Span(handle, _) => handle.forgotten_on.is_none_or(|on| on == t),
            FutureAround::Context(_) => true,
        }
    }
}
