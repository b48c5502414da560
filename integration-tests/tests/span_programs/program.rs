//! Small programs of span operations, and how they are made up.
//!
//! An operation names what it works with by a small number; where nothing is
//! there, or the compiler would not let a service do it, it is left out.

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{collection, option};
use spandrel::OwnedValue;

pub(crate) const SLOTS: u8 = 4;
pub(crate) const CONTEXTS: u8 = 3;
pub(crate) const GUARDS: u8 = 3;
pub(crate) const FUTURES: u8 = 3;

/// The contexts that a program begins with.
pub(crate) const CAPTURED: [Captured; CONTEXTS as usize] = [Captured::With(0, 3), Captured::With(1, 4), Captured::Root];

pub(crate) type Body = Vec<Op>;

#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// Starts a span; one that was in the slot ends.
    Start(u8, Start),
    Write(Target, Vec<Write>),
    Enter(u8),
    Leave(u8),
    ForgetGuard(u8),
    End(u8),
    /// At a time before or after that of the start, in seconds.
    EndAt(u8, i8),
    ForgetSpan(u8),
    /// Keeps a context.
    Capture(u8, Captured),
    /// Attaches a context; the guard of the second number is kept.
    Attach(u8, u8),
    Detach(u8),
    ForgetContextGuard(u8),
    Closure(Start, Outcome, Body),
    Within(u8, Body),
    /// A guard on the stack, so that a panic drops it.
    Guarded(u8, Body),
    InContext(u8, Body),
    Catch(Body),
    /// The second one runs in a destructor, at the end of the first.
    Deferred(Body, Body),
    /// Another thread, which is waited for. It may take the current context along.
    Thread(bool, Body),
    /// Makes a future that does one of the bodies in each poll.
    Make(u8, Around, Vec<Body>),
    Poll(u8),
    DropFuture(u8),
    ForgetFuture(u8),
    /// A future in a lent span, polled so often and then dropped.
    Lend(u8, u8, Vec<Body>),
    Panic,
}

/// How a span starts. The first value of each part needs no builder.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) parent: From,
    pub(crate) is_client: bool,
    pub(crate) attribute: Option<(u8, u8)>,
    /// To the span of a slot.
    pub(crate) link: Option<u8>,
}

impl Start {
    pub(crate) fn is_usual(&self) -> bool {
        matches!(self.parent, From::Current) && !self.is_client && self.attribute.is_none() && self.link.is_none()
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum From {
    Current,
    Root,
    Slot(u8),
    Context(u8),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Captured {
    Current,
    Root,
    /// The current one with one more ambient attribute.
    With(u8, u8),
    /// The current one with the span of a slot.
    Slot(u8),
    /// The current one with a span of another service, sampled or not.
    Remote(bool),
}

/// Of a closure or a future that may fail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Outcome {
    Plain,
    Good,
    Bad,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Around {
    /// `with_span_async`.
    New(Outcome),
    /// `in_span`, `try_in_span` with the span of a slot.
    Slot(u8, Outcome),
    /// `in_context`.
    Context(u8),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    Current,
    Slot(u8),
    /// The so many-th closure from inside.
    Closure(u8),
}

#[derive(Debug, Clone)]
pub(crate) enum Write {
    Attribute(u8, u8),
    Attributes(Vec<(u8, u8)>),
    Lazy(u8, u8),
    Name,
    Ok,
    Unset,
    /// With a text, or without one.
    Error(bool),
    Event(Vec<(u8, u8)>),
    /// To the span of a slot.
    Link(u8),
    RecordError,
}

/// Attributes are numbers here; these are their keys and values.
pub(crate) fn key(key: u8) -> String {
    // Some of one length with the same end, which a recorder may take for each other.
    ["alpha", "delta", "b", "a.much.longer.key.of.an.attribute", ""][usize::from(key % 5)].to_owned()
}

pub(crate) fn value(value: u8) -> OwnedValue {
    match value % 3 {
        0 => OwnedValue::Str("v".repeat(usize::from(value) * 3)),
        1 => OwnedValue::I64(1 << value),
        _ => OwnedValue::StrArray(vec!["w".into(); (value / 3).into()]),
    }
}

pub(crate) fn programs() -> impl Strategy<Value = Body> {
    collection::vec(op(), 1..24)
}

fn op() -> impl Strategy<Value = Op> {
    leaf().prop_recursive(4, 48, 6, |op| {
        let body = || collection::vec(op.clone(), 0..6);
        let bodies = || collection::vec(body(), 0..4);
        prop_oneof![
            6 => leaf(),
            3 => (start(), outcome(), body()).prop_map(|(start, outcome, body)| Op::Closure(start, outcome, body)),
            1 => (slot(), body()).prop_map(|(slot, body)| Op::Within(slot, body)),
            1 => (slot(), body()).prop_map(|(slot, body)| Op::Guarded(slot, body)),
            1 => (0..CONTEXTS, body()).prop_map(|(context, body)| Op::InContext(context, body)),
            1 => body().prop_map(Op::Catch),
            1 => (body(), body()).prop_map(|(body, at_end)| Op::Deferred(body, at_end)),
            1 => (any::<bool>(), body()).prop_map(|(carries, body)| Op::Thread(carries, body)),
            2 => (0..FUTURES, around(), bodies()).prop_map(|(f, around, bodies)| Op::Make(f, around, bodies)),
            1 => (slot(), 0..4_u8, bodies()).prop_map(|(slot, polls, bodies)| Op::Lend(slot, polls, bodies)),
        ]
    })
}

fn leaf() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (slot(), start()).prop_map(|(slot, start)| Op::Start(slot, start)),
        6 => (target(), collection::vec(write(), 1..5)).prop_map(|(target, writes)| Op::Write(target, writes)),
        6 => slot().prop_map(Op::Enter),
        3 => slot().prop_map(Op::Leave),
        2 => slot().prop_map(Op::ForgetGuard),
        2 => slot().prop_map(Op::End),
        1 => (slot(), -100..100_i8).prop_map(|(slot, seconds)| Op::EndAt(slot, seconds)),
        1 => slot().prop_map(Op::ForgetSpan),
        2 => (0..CONTEXTS, captured()).prop_map(|(context, how)| Op::Capture(context, how)),
        4 => (0..CONTEXTS, 0..GUARDS).prop_map(|(context, guard)| Op::Attach(context, guard)),
        3 => (0..GUARDS).prop_map(Op::Detach),
        1 => (0..GUARDS).prop_map(Op::ForgetContextGuard),
        3 => (0..FUTURES).prop_map(Op::Poll),
        1 => (0..FUTURES).prop_map(Op::DropFuture),
        1 => (0..FUTURES).prop_map(Op::ForgetFuture),
        1 => Just(Op::Panic),
    ]
}

fn slot() -> impl Strategy<Value = u8> {
    0..SLOTS
}

fn start() -> impl Strategy<Value = Start> {
    let usual = Start { parent: From::Current, is_client: false, attribute: None, link: None };
    let parent = prop_oneof![
        3 => Just(From::Current),
        1 => Just(From::Root),
        2 => slot().prop_map(From::Slot),
        2 => (0..CONTEXTS).prop_map(From::Context),
    ];
    let special = (parent, any::<bool>(), option::of(pair()), option::of(slot()))
        .prop_map(|(parent, is_client, attribute, link)| Start { parent, is_client, attribute, link });
    prop_oneof![2 => Just(usual), 1 => special]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![2 => Just(Outcome::Plain), 1 => Just(Outcome::Good), 1 => Just(Outcome::Bad)]
}

fn around() -> impl Strategy<Value = Around> {
    prop_oneof![
        2 => outcome().prop_map(Around::New),
        2 => (slot(), outcome()).prop_map(|(slot, outcome)| Around::Slot(slot, outcome)),
        1 => (0..CONTEXTS).prop_map(Around::Context),
    ]
}

fn captured() -> impl Strategy<Value = Captured> {
    prop_oneof![
        2 => Just(Captured::Current),
        1 => Just(Captured::Root),
        2 => pair().prop_map(|(key, value)| Captured::With(key, value)),
        1 => slot().prop_map(Captured::Slot),
        1 => any::<bool>().prop_map(Captured::Remote),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        2 => Just(Target::Current),
        2 => slot().prop_map(Target::Slot),
        1 => (0..3_u8).prop_map(Target::Closure),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    let pairs = || collection::vec(pair(), 0..3);
    prop_oneof![
        4 => pair().prop_map(|(key, value)| Write::Attribute(key, value)),
        1 => pairs().prop_map(Write::Attributes),
        1 => pair().prop_map(|(key, value)| Write::Lazy(key, value)),
        2 => Just(Write::Name),
        1 => Just(Write::Ok),
        1 => Just(Write::Unset),
        2 => any::<bool>().prop_map(Write::Error),
        2 => pairs().prop_map(Write::Event),
        1 => slot().prop_map(Write::Link),
        1 => Just(Write::RecordError),
    ]
}

fn pair() -> impl Strategy<Value = (u8, u8)> {
    (0..5_u8, 0..60_u8)
}
