use std::fmt::{self, Write};
use std::sync::Arc;

use spandrel_plugin_api::{Carrier, CarrierMut, Error, ErrorKind};

use crate::{Extracted, Outgoing, Propagator};

/// Values that travel with a request and all requests that follow from it.
///
/// Keys are unique and compare with regard to case. An empty baggage costs
/// nothing and a clone shares its entries.
///
/// Baggage is sent to every service that is called, those of other companies
/// included: keep secrets out of it.
///
/// ```
/// use spandrel_propagation::Baggage;
///
/// let baggage = Baggage::new().with("user.plan", "gold & blue")?;
/// assert_eq!(baggage.get("user.plan"), Some("gold & blue"));
/// # Ok::<(), spandrel_plugin_api::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Baggage(Option<Arc<[BaggageEntry]>>);

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaggageEntry {
    key: String,
    value: String,
    properties: String,
}

/// W3C Baggage: `baggage`.
///
/// A malformed member is skipped alone. Of members with equal keys the last one
/// wins, in the place of the first; the specification leaves that choice open.
///
/// Both ways it takes at most [`Baggage::MAX_MEMBERS`] members and
/// [`Baggage::MAX_BYTES`] bytes, over all header lines together. Members that
/// do not fit are left out whole; shorter ones behind them may still fit.
///
/// Source: W3C Baggage (Candidate Recommendation, 2024), section 3.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "has nothing to configure")]
pub struct BaggagePropagator;

impl Baggage {
    /// Most members that go into a header or are read from one.
    pub const MAX_MEMBERS: usize = 64;

    /// Most bytes that go into a header or are read from one.
    pub const MAX_BYTES: usize = 8_192;

    /// A baggage without entries.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// The same baggage with `key` set to `value`.
    ///
    /// An earlier value of the key is replaced, and its properties are dropped.
    /// Entries beyond the limits of a header are kept here but not sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] if the key is not a token as HTTP has it. Every
    /// value is fine: it is percent-encoded on the wire.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, Error> {
        if !is_token(key) {
            return Err(Error::new(ErrorKind::Malformed, "this cannot be a baggage key")
                .with_context("key", format!("{key:?}"))
                .with_context("allowed", "letters, digits and !#$%&'*+-.^_`|~"));
        }
        let mut entries = self.entries().to_vec();
        put(&mut entries, BaggageEntry { key: key.to_owned(), value: value.to_owned(), properties: String::new() });
        Ok(Self::from_entries(entries))
    }

    /// The same baggage without `key`.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        if self.get(key).is_none() {
            return self.clone();
        }
        Self::from_entries(self.iter().filter(|entry| entry.key != key).cloned().collect())
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|entry| entry.key == key).map(BaggageEntry::value)
    }

    /// The entries in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &BaggageEntry> + Clone {
        self.entries().iter()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn from_entries(entries: Vec<BaggageEntry>) -> Self {
        Self(Some(entries).filter(|entries| !entries.is_empty()).map(Arc::from))
    }

    fn entries(&self) -> &[BaggageEntry] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries()).finish()
    }
}

impl BaggageEntry {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value, decoded.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What the sender said of the value: `p=1;q`, percent-encoded as it came;
    /// usually empty.
    #[must_use]
    pub fn properties(&self) -> &str {
        &self.properties
    }

    fn parse(member: &str) -> Option<Self> {
        let (pair, properties) = member.split_once(';').unwrap_or((member, ""));
        let (key, value) = pair.split_once('=')?;
        let (key, value) = (trim(key), trim(value));
        if !is_token(key) || !is_value(value) {
            return None;
        }
        let properties = parse_properties(properties)?;
        Some(Self { key: key.to_owned(), value: decode(value), properties })
    }

    fn encoded_len(&self) -> usize {
        let value: usize = self.value.bytes().map(|byte| if is_plain(byte) { 1 } else { 3 }).sum();
        let properties = if self.properties.is_empty() { 0 } else { 1 + self.properties.len() };
        self.key.len() + 1 + value + properties
    }

    fn encode(&self, out: &mut String) {
        out.extend([&self.key, "="]);
        for byte in self.value.bytes() {
            if is_plain(byte) {
                out.push(char::from(byte));
            } else {
                // Writing into memory does not fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
        if !self.properties.is_empty() {
            out.extend([";", &self.properties]);
        }
    }
}

impl Propagator for BaggagePropagator {
    fn name(&self) -> &'static str {
        HEADER
    }

    fn fields(&self) -> &'static [&'static str] {
        &[HEADER]
    }

    fn extract(&self, carrier: &dyn Carrier, into: &mut Extracted) {
        let mut entries = Vec::new();
        let mut room = Room::default();
        carrier.for_each_value(HEADER, &mut |line| {
            for member in line.split(',').map(trim) {
                if member.is_empty() || !room.take(member.len()) {
                    continue;
                }
                if let Some(entry) = BaggageEntry::parse(member) {
                    put(&mut entries, entry);
                }
            }
        });
        if !entries.is_empty() {
            into.baggage = Baggage::from_entries(entries);
        }
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn CarrierMut) {
        let mut header = String::new();
        let mut room = Room::default();
        for entry in outgoing.baggage.iter() {
            if !room.take(entry.encoded_len()) {
                continue;
            }
            if !header.is_empty() {
                header.push(',');
            }
            entry.encode(&mut header);
        }
        if header.is_empty() {
            carrier.remove(HEADER);
        } else {
            carrier.set(HEADER, &header);
        }
    }
}

const HEADER: &str = "baggage";

/// What of a header is used up.
#[derive(Default)]
struct Room {
    members: usize,
    bytes: usize,
}

impl Room {
    /// Whether a member of `len` bytes still fits; it is counted then.
    fn take(&mut self, len: usize) -> bool {
        let comma = usize::from(self.members > 0);
        let bytes = self.bytes.saturating_add(comma).saturating_add(len);
        let fits = self.members < Baggage::MAX_MEMBERS && bytes <= Baggage::MAX_BYTES;
        if fits {
            self.members += 1;
            self.bytes = bytes;
        }
        fits
    }
}

fn put(entries: &mut Vec<BaggageEntry>, entry: BaggageEntry) {
    match entries.iter_mut().find(|known| known.key == entry.key) {
        Some(known) => *known = entry,
        None => entries.push(entry),
    }
}

/// Checks the properties and takes the optional white space out.
fn parse_properties(text: &str) -> Option<String> {
    let mut out = String::new();
    for property in text.split(';').map(trim).filter(|property| !property.is_empty()) {
        let (key, value) = match property.split_once('=') {
            Some((key, value)) => (trim(key), Some(trim(value))),
            None => (property, None),
        };
        if !is_token(key) || !value.is_none_or(is_value) {
            return None;
        }
        if !out.is_empty() {
            out.push(';');
        }
        out.push_str(key);
        if let Some(value) = value {
            out.extend(["=", value]);
        }
    }
    Some(out)
}

/// Undoes percent-encoding; a `%` that begins no such sequence stands for itself.
fn decode(value: &str) -> String {
    if !value.contains('%') {
        return value.to_owned();
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let escaped = if *byte == b'%' { behind.split_first_chunk().and_then(parse_escape) } else { None };
        let (byte, behind) = escaped.unwrap_or((*byte, behind));
        out.push(byte);
        rest = behind;
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The byte that two hexadecimal digits stand for, with what is behind them.
fn parse_escape<'a>((digits, behind): (&[u8; 2], &'a [u8])) -> Option<(u8, &'a [u8])> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? << 4 | low?).ok().map(|byte| (byte, behind))
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Source: RFC 7230, section 3.2.6.
fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_value(text: &str) -> bool {
    text.bytes().all(is_octet)
}

/// The `baggage-octet` of the specification.
const fn is_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

/// Whether a byte of a value stands for itself on the wire.
const fn is_plain(byte: u8) -> bool {
    is_octet(byte) && byte != b'%'
}

#[cfg(test)]
mod tests;
