//! Messages as bytes: where they may be cut, and other encodings of the same.

use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// The messages of a trace request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Message {
    Request,
    ResourceSpans,
    Resource,
    ScopeSpans,
    Scope,
    Span,
    Event,
    Link,
    Status,
    KeyValue,
    Any,
    Array,
    List,
}

impl Message {
    /// The message in a field, if one is.
    ///
    /// Source: opentelemetry-proto, the .proto files.
    const fn child(self, field: u32) -> Option<Self> {
        Some(match (self, field) {
            (Self::Request, 1) => Self::ResourceSpans,
            (Self::ResourceSpans, 1) => Self::Resource,
            (Self::ResourceSpans, 2) => Self::ScopeSpans,
            (Self::ScopeSpans, 1) => Self::Scope,
            (Self::ScopeSpans, 2) => Self::Span,
            (Self::Span, 11) => Self::Event,
            (Self::Span, 13) => Self::Link,
            (Self::Span, 15) => Self::Status,
            (Self::Resource | Self::List, 1) | (Self::Scope | Self::Event, 3) | (Self::Span, 9) | (Self::Link, 4) => {
                Self::KeyValue
            }
            (Self::KeyValue, 2) | (Self::Array, 1) => Self::Any,
            (Self::Any, 5) => Self::Array,
            (Self::Any, 6) => Self::List,
            _ => return None,
        })
    }

    const fn is_repeated(self) -> bool {
        match self {
            Self::ResourceSpans | Self::ScopeSpans | Self::Span | Self::Event | Self::Link | Self::KeyValue => true,
            Self::Request | Self::Resource | Self::Scope | Self::Status | Self::Any | Self::Array | Self::List => false,
        }
    }
}

/// A field with the place of its contents in the message.
#[derive(Debug, Clone, Copy)]
struct Field {
    number: u32,
    wire: WireType,
    varint: u64,
    begin: usize,
    start: usize,
    end: usize,
}

/// The fields of a message by the functions of prost, up to the first group or
/// malformed field; true if it came to the end.
fn fields(message: &[u8]) -> (Vec<Field>, bool) {
    let mut fields = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let begin = message.len() - rest.len();
        let Ok((number, wire)) = decode_key(&mut rest) else { return (fields, false) };
        let mut varint = 0;
        if matches!(wire, WireType::Varint | WireType::LengthDelimited) {
            let Ok(value) = decode_varint(&mut rest) else { return (fields, false) };
            varint = value;
        }
        let len = match wire {
            WireType::Varint => 0,
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => usize::try_from(varint).expect("a pointer has 64 bits"),
            WireType::StartGroup | WireType::EndGroup => return (fields, false),
        };
        let start = message.len() - rest.len();
        let Some(behind) = rest.get(len..) else { return (fields, false) };
        rest = behind;
        fields.push(Field { number, wire, varint, begin, start, end: start + len });
    }
    (fields, true)
}

/// Where a part may end: behind any head or field outside of spans, resources and scopes.
pub(crate) fn legal_cuts(request: &[u8]) -> Vec<usize> {
    let mut cuts = vec![0];
    collect_cuts(Message::Request, request, 0, &mut cuts);
    cuts
}

fn collect_cuts(message: Message, bytes: &[u8], offset: usize, cuts: &mut Vec<usize>) {
    for field in fields(bytes).0 {
        let child = message.child(field.number).filter(|_| field.wire == WireType::LengthDelimited);
        if child.is_some() {
            cuts.push(offset + field.start);
        }
        if let Some(child @ (Message::ResourceSpans | Message::ScopeSpans)) = child {
            collect_cuts(child, &bytes[field.start..field.end], offset + field.start, cuts);
        }
        cuts.push(offset + field.end);
    }
}

/// The message in these pieces; a cut that occurs twice makes an empty one.
pub(crate) fn cut(message: &[u8], mut cuts: Vec<usize>) -> Vec<&[u8]> {
    cuts.sort_unstable();
    cuts.push(message.len());
    let mut begin = 0;
    let mut part = |end| &message[std::mem::replace(&mut begin, end)..end];
    cuts.into_iter().map(&mut part).collect()
}

/// Another encoding of the same message: fields in another order (equal numbers
/// keep theirs), unknown fields in between, lengths in more bytes than needed.
///
/// With `harm` it is not the same: some fields come twice or under another number.
pub(crate) fn reencode(message: Message, bytes: &[u8], random: &mut Random, harm: bool) -> Vec<u8> {
    let keys: Vec<u64> = (0..32).map(|_| random.next()).collect();
    let mut encoded: Vec<(u64, Vec<u8>)> = Vec::new();
    for field in fields(bytes).0 {
        let mut out = bytes[field.begin..field.end].to_vec();
        let harmed = harm && random.below(20) == 0;
        let number = if harmed { 1 + random.below(16) as u32 } else { field.number };
        if field.wire == WireType::LengthDelimited {
            let contents = &bytes[field.start..field.end];
            let child = message.child(field.number);
            let contents = child.map_or_else(|| contents.to_vec(), |child| reencode(child, contents, random, harm));
            out.clear();
            encode_key(number, field.wire, &mut out);
            put_varint(&mut out, contents.len() as u64, random);
            out.extend(contents);
        }
        if harmed {
            encoded.push((random.next(), bytes[field.begin..field.end].to_vec()));
        }
        encoded.push((keys[field.number as usize % keys.len()], out));
    }
    for _ in 0..random.below(3) {
        encoded.push((random.next(), unknown_field(random)));
    }
    encoded.sort_by_key(|(key, _)| *key);
    encoded.into_iter().flat_map(|(_, field)| field).collect()
}

fn put_varint(out: &mut Vec<u8>, value: u64, random: &mut Random) {
    encode_varint(value, out);
    if random.below(4) == 0 && value < 1 << 56 {
        // Seven more bits, all zero; ten bytes are the most.
        *out.last_mut().expect("has a byte at least") |= 0x80;
        out.push(0);
    }
}

fn unknown_field(random: &mut Random) -> Vec<u8> {
    let number = [100, 2_047, 2_048, (1 << 29) - 1][random.below(4)];
    let contents = random.next().to_le_bytes();
    let mut out = Vec::new();
    match random.below(4) {
        0 => {
            encode_key(number, WireType::Varint, &mut out);
            put_varint(&mut out, random.next() >> random.below(64), random);
        }
        1 => {
            encode_key(number, WireType::SixtyFourBit, &mut out);
            out.extend(contents);
        }
        2 => {
            encode_key(number, WireType::ThirtyTwoBit, &mut out);
            out.extend(&contents[..4]);
        }
        _ => {
            encode_key(number, WireType::LengthDelimited, &mut out);
            let len = random.below(9);
            put_varint(&mut out, len as u64, random);
            out.extend(&contents[..len]);
        }
    }
    out
}

/// Why the reader may say something else than prost of a message that prost can read.
///
/// None of it is written by any encoder of OTLP:
/// - groups, which prost skips and the reader refuses;
/// - a repeated singular message, where the last one counts and prost merges
///   (the reader merges a repeated status, since recorders may split one);
/// - an id of the wrong length, even if one of the right length follows;
/// - indexes into the string table of a profile;
/// - an enumeration beyond 32 bits, which prost wraps around.
pub(crate) fn known_difference(message: Message, bytes: &[u8]) -> Option<&'static str> {
    let (fields, complete) = fields(bytes);
    if !complete {
        return Some("a group");
    }
    let mut singular = Vec::new();
    for field in fields {
        let len = field.end - field.start;
        match (message, field.number) {
            (Message::Span | Message::Link, 1) if len != 16 => return Some("a trace id of the wrong length"),
            (Message::Span | Message::Link, 2) | (Message::Span, 4) if len != 8 && len != 0 => {
                return Some("a span id of the wrong length");
            }
            (Message::Any, 8) => return Some("an index into a string table"),
            (Message::Span, 6) | (Message::Status, 3) if i64::from(field.varint as i32) as u64 != field.varint => {
                return Some("an enumeration beyond 32 bits");
            }
            _ => {}
        }
        let Some(child) = message.child(field.number) else { continue };
        if field.wire != WireType::LengthDelimited {
            return Some("a message of another wire type, which prost refuses");
        }
        let repeated = child.is_repeated() || (message == Message::Array && child == Message::Any);
        if !repeated && child != Message::Status && singular.contains(&field.number) {
            return Some("a singular message twice");
        }
        singular.push(field.number);
        let difference = known_difference(child, &bytes[field.start..field.end]);
        if difference.is_some() {
            return difference;
        }
    }
    None
}

/// Numbers that depend on a seed alone (SplitMix64), so that a failure can be repeated.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
