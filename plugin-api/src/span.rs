use std::any::Any;

use crate::{Attribute, SpanContext};

/// The role of a span in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "fixed by the OpenTelemetry specification")]
pub enum SpanKind {
    /// An operation inside the service.
    #[default]
    Internal,
    /// The handling of a request from another service.
    Server,
    /// A request to another service, with an answer.
    Client,
    /// A message sent for somebody to process later.
    Producer,
    /// The processing of a message.
    Consumer,
}

/// The outcome of a span.
///
/// `Ok` is final and `Unset` is ignored, as OpenTelemetry has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "fixed by the OpenTelemetry specification")]
pub enum Status<'a> {
    /// Nothing was said.
    #[default]
    Unset,
    /// The operation was declared successful.
    Ok,
    /// The operation failed; the text says how, and may be empty.
    Error(&'a str),
}

/// Nanoseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

/// Something that happened at one moment of a span.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "fixed by the OpenTelemetry specification")]
pub struct Event<'a> {
    /// What happened.
    pub name: &'a str,
    /// When.
    pub time: Timestamp,
    /// Details.
    pub attributes: &'a [Attribute<'a>],
}

/// A relation to a span that is not the parent.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "fixed by the OpenTelemetry specification")]
pub struct Link<'a> {
    /// The other span.
    pub context: &'a SpanContext,
    /// Why it is linked.
    pub attributes: &'a [Attribute<'a>],
}

/// The library that made a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "fixed by the OpenTelemetry specification")]
pub struct InstrumentationScope<'a> {
    /// Its name, usually the crate's.
    pub name: &'a str,
    /// Its version, or empty.
    pub version: &'a str,
}

/// All that is known when a span starts.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "providers and hosts are versioned by the ABI")]
pub struct SpanStart<'a> {
    /// What the span is called.
    pub name: &'a str,
    /// Its ids, chosen by the facade.
    pub context: &'a SpanContext,
    /// The parent, local or remote; `None` for the root of a trace.
    pub parent: Option<&'a SpanContext>,
    /// Its role.
    pub kind: SpanKind,
    /// When it began.
    pub time: Timestamp,
    /// What is known of it already; keys are unique.
    pub attributes: &'a [Attribute<'a>],
    /// Its links.
    pub links: &'a [Link<'a>],
    /// The library that made it.
    pub scope: InstrumentationScope<'a>,
}

/// What a provider keeps for one running span.
///
/// The facade holds it between the calls and hands it back by `&mut`: a span has
/// one writer at a time. A token fits a backend that has handles of its own; a
/// box fits one that keeps the span's data here.
#[derive(Debug, Default)]
pub struct SpanState(Repr);

#[derive(Debug, Default)]
enum Repr {
    #[default]
    None,
    Token(u64),
    Handle {
        owner: u32,
        handle: u64,
    },
    Boxed(Box<dyn Any + Send>),
}

impl Timestamp {
    /// From nanoseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn from_unix_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn unix_nanos(self) -> u64 {
        self.0
    }
}

impl From<std::time::SystemTime> for Timestamp {
    /// Times before 1970 become 1970.
    fn from(time: std::time::SystemTime) -> Self {
        let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl SpanKind {
    /// The number of this kind in OTLP.
    #[must_use]
    pub const fn to_otlp(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Server => 2,
            Self::Client => 3,
            Self::Producer => 4,
            Self::Consumer => 5,
        }
    }

    /// The kind with this number in OTLP; unknown numbers are internal.
    #[must_use]
    pub const fn from_otlp(number: u64) -> Self {
        match number {
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Internal,
        }
    }

    /// The kind in lower case: `client`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

impl SpanState {
    /// Keeps nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self(Repr::None)
    }

    /// Keeps a number of the backend's own.
    #[must_use]
    pub const fn token(token: u64) -> Self {
        Self(Repr::Token(token))
    }

    /// Keeps the provider's data.
    #[must_use]
    pub fn boxed<T: Any + Send>(data: Box<T>) -> Self {
        Self(Repr::Boxed(data))
    }

    /// Keeps a handle that means something to one instance alone, `owner`.
    #[must_use]
    pub const fn handle(owner: u32, handle: u64) -> Self {
        Self(Repr::Handle { owner, handle })
    }

    /// The handle, if one of this instance is kept.
    #[must_use]
    #[inline]
    pub const fn as_handle(&self, owner: u32) -> Option<u64> {
        match self.0 {
            Repr::Handle { owner: kept, handle } if kept == owner => Some(handle),
            _ => None,
        }
    }

    /// The token, if one is kept.
    #[must_use]
    pub const fn as_token(&self) -> Option<u64> {
        match self.0 {
            Repr::Token(token) => Some(token),
            _ => None,
        }
    }

    /// The data, if data of this type is kept.
    #[must_use]
    pub fn downcast_mut<T: Any>(&mut self) -> Option<&mut T> {
        match &mut self.0 {
            Repr::Boxed(data) => data.downcast_mut(),
            _ => None,
        }
    }

    /// The data by value, if data of this type is kept.
    #[must_use]
    pub fn downcast<T: Any>(self) -> Option<Box<T>> {
        match self.0 {
            Repr::Boxed(data) => data.downcast().ok(),
            _ => None,
        }
    }
}
