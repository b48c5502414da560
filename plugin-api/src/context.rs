use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Identifies a trace: 16 bytes, not all zero when valid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TraceId([u8; 16]);

/// Identifies a span within its trace: 8 bytes, not all zero when valid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SpanId([u8; 8]);

/// The flags byte of a W3C `traceparent`.
///
/// Source: W3C Trace Context Level 2, section 3.2.2.5.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct TraceFlags(u8);

/// The members of a W3C `tracestate` header, kept as text.
///
/// Empty for most traces; a non-empty one is shared, never copied.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TraceState(Option<Arc<str>>);

/// What identifies a span everywhere: the part that travels between services.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SpanContext {
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
    is_remote: bool,
    trace_state: TraceState,
}

impl SpanContext {
    /// A local context; see [`with_remote`](Self::with_remote) for one that came over the wire.
    #[must_use]
    pub const fn new(trace_id: TraceId, span_id: SpanId, flags: TraceFlags) -> Self {
        Self { trace_id, span_id, flags, is_remote: false, trace_state: TraceState(None) }
    }

    /// The same context with this trace state.
    #[must_use]
    pub fn with_trace_state(mut self, trace_state: TraceState) -> Self {
        self.trace_state = trace_state;
        self
    }

    /// The same context, marked as received from another process or not.
    #[must_use]
    pub fn with_remote(mut self, is_remote: bool) -> Self {
        self.is_remote = is_remote;
        self
    }

    /// The trace this span belongs to.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span itself.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The W3C flags.
    #[must_use]
    pub const fn flags(&self) -> TraceFlags {
        self.flags
    }

    /// Vendor-specific data that travels along.
    #[must_use]
    pub const fn trace_state(&self) -> &TraceState {
        &self.trace_state
    }

    /// Whether the context came from another process.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        self.is_remote
    }

    /// Whether the span is recorded by the one who started it.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags.is_sampled()
    }

    /// Whether both ids are valid.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.trace_id.is_valid() && self.span_id.is_valid()
    }
}

impl TraceFlags {
    /// The span is sampled.
    pub const SAMPLED: Self = Self(0b01);
    /// The right-most 7 bytes of the trace id are random.
    pub const RANDOM: Self = Self(0b10);

    /// Flags from their wire form; unknown bits are kept out.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0b11)
    }

    /// The wire form.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether the sampled bit is set.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// Whether the trace id is declared random.
    #[must_use]
    pub const fn is_random(self) -> bool {
        self.0 & Self::RANDOM.0 != 0
    }

    /// The same flags with the sampled bit set or cleared.
    #[must_use]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        Self((self.0 & !Self::SAMPLED.0) | sampled as u8)
    }
}

impl TraceState {
    /// Most members that a trace state may have.
    pub const MAX_MEMBERS: usize = 32;

    /// Parses the joined header value.
    ///
    /// Optional white space and empty members are dropped, as the specification
    /// allows; of several members with one key the first stays.
    ///
    /// # Errors
    ///
    /// A sentence if a key or a value has a character it may not have, or there
    /// are more than 32 members: the specification asks for the whole trace state
    /// to be discarded then.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut members: Vec<(&str, &str)> = Vec::new();
        for member in text.split(',') {
            let member = member.trim_matches([' ', '\t']);
            if member.is_empty() {
                continue;
            }
            let (key, value) = member.split_once('=').ok_or("trace state member without `=`")?;
            check_member(key, value)?;
            if members.iter().any(|(k, _)| *k == key) {
                continue;
            }
            if members.len() == Self::MAX_MEMBERS {
                return Err("trace state has more than 32 members");
            }
            members.push((key, value));
        }
        Ok(Self::from_members(&members))
    }

    /// The value of a member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.members().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The members in their order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.as_str().split(',').filter_map(|member| member.split_once('='))
    }

    /// The same state with `key` set to `value` and moved to the front.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn with_member(&self, key: &str, value: &str) -> Result<Self, &'static str> {
        check_member(key, value)?;
        let others = self.members().filter(|(k, _)| *k != key).take(Self::MAX_MEMBERS - 1);
        let mut text = format!("{key}={value}");
        for (k, v) in others {
            text.extend([",", k, "=", v]);
        }
        Self::parse(&text)
    }

    /// The header value; empty if there are no members.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }

    /// Whether there are no members.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn from_members(members: &[(&str, &str)]) -> Self {
        if members.is_empty() {
            return Self(None);
        }
        let members: Vec<String> = members.iter().map(|(k, v)| format!("{k}={v}")).collect();
        Self(Some(members.join(",").into()))
    }
}

fn check_member(key: &str, value: &str) -> Result<(), &'static str> {
    if !is_state_key(key) {
        return Err("trace state key has a character it may not have");
    }
    if !is_state_value(value) {
        return Err("trace state value has a character it may not have");
    }
    Ok(())
}

/// Level 2: a key begins with a letter or digit and has at most 256 characters.
fn is_state_key(key: &str) -> bool {
    let starts = key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    starts && key.len() <= 256 && key.bytes().all(allowed)
}

fn is_state_value(value: &str) -> bool {
    let allowed = |b: u8| matches!(b, 0x20..=0x7e) && b != b',' && b != b'=';
    !value.is_empty() && value.len() <= 256 && value.bytes().all(allowed) && !value.ends_with(' ')
}

impl fmt::Debug for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The text is not an id: wrong length, not hexadecimal, or all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id: expected lower-case hexadecimal digits, not all zero")
    }
}

impl std::error::Error for ParseIdError {}

macro_rules! id {
    ($name:ident, $bytes:literal) => {
        impl $name {
            /// The invalid id, all zero.
            pub const INVALID: Self = Self([0; $bytes]);

            /// An id from its bytes, most significant first.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The bytes, most significant first.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; $bytes] {
                self.0
            }

            /// The bytes by reference.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// Whether any byte is not zero.
            #[must_use]
            pub fn is_valid(self) -> bool {
                self.0 != [0; $bytes]
            }

            /// The lower-case hexadecimal form, without allocating.
            #[must_use]
            pub fn to_hex(self) -> [u8; $bytes * 2] {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let mut hex = [0; $bytes * 2];
                for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
                    pair[0] = DIGITS[usize::from(byte >> 4)];
                    pair[1] = DIGITS[usize::from(byte & 15)];
                }
                hex
            }

            /// An id from lower-case hexadecimal digits; `None` for anything
            /// else, upper case and the all-zero id included.
            #[must_use]
            pub fn from_hex(hex: &[u8]) -> Option<Self> {
                let digit = |b: u8| match b {
                    b'0'..=b'9' => Some(b - b'0'),
                    b'a'..=b'f' => Some(b - b'a' + 10),
                    _ => None,
                };
                if hex.len() != $bytes * 2 {
                    return None;
                }
                let mut bytes = [0; $bytes];
                for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
                    *byte = digit(pair[0])? << 4 | digit(pair[1])?;
                }
                Some(Self(bytes)).filter(|id| id.is_valid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let hex = self.to_hex();
                f.write_str(std::str::from_utf8(&hex).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Self::from_hex(text.as_bytes()).ok_or(ParseIdError)
            }
        }
    };
}

id!(TraceId, 16);
id!(SpanId, 8);

#[cfg(test)]
mod tests {
    use super::{SpanId, TraceFlags, TraceId, TraceState};

    #[test]
    fn ids_round_trip_and_refuse_nonsense() {
        let text = "4bf92f3577b34da6a3ce929d0e0e4736";
        let id: TraceId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        for bad in ["", "4BF92F3577B34DA6A3CE929D0E0E4736", "00000000000000000000000000000000", "4bf9"] {
            assert!(bad.parse::<TraceId>().is_err(), "{bad}");
        }
        assert!(SpanId::from_hex(b"+0f067aa0ba902b7").is_none());
    }

    #[test]
    fn flags_keep_only_known_bits() {
        assert_eq!(TraceFlags::from_bits(0xff).bits(), 3);
        assert_eq!(TraceFlags::from_bits(2).with_sampled(true).bits(), 3);
    }

    #[test]
    fn trace_state_follows_the_specification() {
        let state = TraceState::parse(" a=1 , ,b@x=2,0c=3").unwrap();
        assert_eq!(state.as_str(), "a=1,b@x=2,0c=3");
        assert_eq!(state.with_member("b@x", "9").unwrap().as_str(), "b@x=9,a=1,0c=3");
        assert_eq!(TraceState::parse("a=1,b=2,a=3").unwrap().as_str(), "a=1,b=2");
        assert!(state.with_member("c", "1,d=2").is_err() && state.with_member("c=1,d", "2").is_err());
        for bad in ["A=1", "a", "a=", "a=\u{7}", "a=b=c"] {
            assert!(TraceState::parse(bad).is_err(), "{bad}");
        }
        let many = (0..33).map(|i| format!("k{i}=v")).collect::<Vec<_>>().join(",");
        assert!(TraceState::parse(&many).is_err());
    }
}
