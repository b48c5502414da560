use std::fmt::{self, Write};
use std::sync::Arc;

use spandrel_plugin_api::{Carrier, CarrierMut, Error, ErrorKind};

use crate::header::trim;
use crate::{Extracted, Outgoing, Propagator, header};

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
/// do not fit are left out whole; shorter ones behind them may still fit. No more
/// than twice the bytes and four times the members are looked at, white space and
/// empty members included.
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
        self.encode_value(out);
        if !self.properties.is_empty() {
            out.extend([";", &self.properties]);
        }
    }

    fn encode_value(&self, out: &mut String) {
        for byte in self.value.bytes() {
            if is_plain(byte) {
                out.push(char::from(byte));
            } else {
                // Writing into memory does not fail.
                let _ = write!(out, "%{byte:02X}");
            }
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
        if !into.baggage.is_empty() {
            return;
        }
        let mut reader = None;
        carrier.for_each_value(HEADER, &mut |line| reader.get_or_insert_with(Reader::new).read(line));
        // Most requests have none.
        let Some(reader) = reader else { return };
        if reader.is_cut {
            over_limit();
        }
        into.baggage = Baggage::from_entries(reader.entries);
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn CarrierMut) {
        if outgoing.baggage.is_empty() {
            carrier.remove(HEADER);
            return;
        }
        let mut header = String::new();
        let mut room = Room::default();
        let mut is_cut = false;
        for entry in outgoing.baggage.iter() {
            if !room.take(entry.encoded_len()) {
                is_cut = true;
                continue;
            }
            if !header.is_empty() {
                header.push(',');
            }
            entry.encode(&mut header);
        }
        if is_cut {
            over_limit();
        }
        if header.is_empty() {
            carrier.remove(HEADER);
        } else {
            header::write(carrier, HEADER, &header);
        }
    }
}

/// Reads members that have a header each, whose name is `prefix` and the key.
pub(crate) fn read_prefixed(prefix: &'static str, carrier: &dyn Carrier, into: &mut Extracted) {
    if !into.baggage.is_empty() {
        return;
    }
    let mut reader = None;
    carrier.for_each_prefixed(prefix, &mut |key, value| {
        reader.get_or_insert_with(Reader::new).add(key, trim(value));
    });
    let Some(reader) = reader else { return };
    if reader.is_cut {
        over_limit();
    }
    into.baggage = Baggage::from_entries(reader.entries);
}

/// Writes a header for each member; properties have no place there.
pub(crate) fn write_prefixed(prefix: &'static str, baggage: &Baggage, carrier: &mut dyn CarrierMut) {
    let mut room = Room::default();
    let (mut name, mut value) = (String::new(), String::new());
    for entry in baggage.iter() {
        if !room.take(entry.encoded_len()) {
            over_limit();
            continue;
        }
        name.clear();
        name.extend([prefix, &entry.key]);
        value.clear();
        entry.encode_value(&mut value);
        carrier.set_named(&name, &value);
    }
}

/// Collects the members of all lines.
struct Reader {
    entries: Vec<BaggageEntry>,
    /// Of the entries, in the same order. Most keys differ, and this says so quickly.
    fingerprints: [u32; Baggage::MAX_MEMBERS],
    room: Room,
    /// How many bytes and members are still looked at: white space and empty members take up
    /// no room.
    unread_bytes: usize,
    unread_members: usize,
    /// Whether something did not fit.
    is_cut: bool,
}

impl Reader {
    fn new() -> Self {
        Self {
            fingerprints: [0; Baggage::MAX_MEMBERS],
            entries: Vec::new(),
            room: Room::default(),
            unread_bytes: 2 * Baggage::MAX_BYTES,
            unread_members: 4 * Baggage::MAX_MEMBERS,
            is_cut: false,
        }
    }

    fn read(&mut self, line: &str) {
        let line = match line.as_bytes().get(..self.unread_bytes) {
            Some(begin) if line.len() > self.unread_bytes => {
                self.is_cut = true;
                // A part of a member would be another member.
                &line[..begin.iter().rposition(|byte| *byte == b',').unwrap_or(0)]
            }
            _ => line,
        };
        self.unread_bytes -= line.len();
        self.reserve(line);
        for member in line.split(',') {
            if self.unread_members == 0 || self.room.members == Baggage::MAX_MEMBERS {
                self.is_cut = true;
                return;
            }
            self.unread_members -= 1;
            let member = trim(member);
            if member.is_empty() {
                continue;
            }
            if !self.room.take(member.len()) {
                self.is_cut = true;
            } else if let Some(entry) = BaggageEntry::parse(member) {
                self.put(entry);
            }
        }
    }

    fn add(&mut self, key: &str, value: &str) {
        if self.unread_members == 0 || !self.room.take(key.len() + "=".len() + value.len()) {
            self.is_cut = true;
            return;
        }
        self.unread_members -= 1;
        if is_token(key) && is_value(value) {
            self.put(BaggageEntry { key: key.to_owned(), value: decode(value), properties: String::new() });
        }
    }

    /// Makes room once for what a line may have; where a second one comes, for all that may come.
    fn reserve(&mut self, line: &str) {
        let left = Baggage::MAX_MEMBERS - self.room.members;
        let members = header::commas(line) + 1;
        if self.entries.is_empty() {
            self.entries.reserve_exact(members.min(left));
        } else if self.entries.capacity() - self.entries.len() < members {
            self.entries.reserve_exact(left);
        }
    }

    fn put(&mut self, entry: BaggageEntry) {
        let fingerprint = fingerprint(&entry.key);
        let is_equal = |(at, found): (usize, &u32)| *found == fingerprint && self.entries[at].key == entry.key;
        match self.fingerprints[..self.entries.len()].iter().enumerate().position(is_equal) {
            Some(at) => self.entries[at] = entry,
            None => {
                self.fingerprints[self.entries.len()] = fingerprint;
                self.entries.push(entry);
            }
        }
    }
}

/// Of the length and both ends; a long key is no more work than a short one.
fn fingerprint(key: &str) -> u32 {
    let (bytes, len) = (key.as_bytes(), u32::try_from(key.len()).unwrap_or(u32::MAX));
    let ends = bytes.iter().take(8).chain(bytes.iter().rev().take(8));
    ends.fold(len, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(*byte)))
}

const HEADER: &str = "baggage";

fn over_limit() {
    header::over_limit(HEADER, format_args!("{} members and {} bytes", Baggage::MAX_MEMBERS, Baggage::MAX_BYTES));
}

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
    let mut out = String::with_capacity(text.len());
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
    let mut out = vec![0; value.len()];
    let mut rest = value.as_bytes();
    let mut len = 0;
    for place in &mut out {
        (*place, rest) = match rest {
            [b'%', high, low, tail @ ..] if (HEX[usize::from(*high)] | HEX[usize::from(*low)]) < 16 => {
                (HEX[usize::from(*high)] << 4 | HEX[usize::from(*low)], tail)
            }
            [byte, tail @ ..] => (*byte, tail),
            [] => break,
        };
        len += 1;
    }
    out.truncate(len);
    String::from_utf8(out).unwrap_or_else(|error| replace_invalid(error.as_bytes(), value.len()))
}

/// Three characters made each byte that is invalid, and its replacement takes three bytes: so
/// `capacity`, the length of what was decoded, is enough.
fn replace_invalid(mut bytes: &[u8], capacity: usize) -> String {
    let mut text = String::with_capacity(capacity);
    loop {
        // Bytes that begin nothing, one by one: they need no look at what follows.
        let alone = bytes.iter().take_while(|byte| matches!(byte, 0x80..=0xc1 | 0xf5..)).count();
        (0..alone).for_each(|_| text.push(char::REPLACEMENT_CHARACTER));
        bytes = &bytes[alone..];
        let Some(chunk) = bytes.utf8_chunks().next() else { return text };
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        bytes = &bytes[chunk.valid().len() + chunk.invalid().len()..];
    }
}

/// What hexadecimal digits stand for; 255 for all other bytes.
const HEX: [u8; 256] = {
    let mut table = [255; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value] as usize] = value as u8;
        table[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    table
};

/// Source: RFC 7230, section 3.2.6.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().fold(true, |all, byte| all & TOKEN[usize::from(byte)])
}

static TOKEN: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x7f {
        allowed[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
        byte += 1;
    }
    allowed
};

/// Without an early end, so that the compiler looks at many bytes at once.
fn is_value(text: &str) -> bool {
    text.bytes().fold(0, |bad, byte| bad | u8::from(!is_octet(byte))) == 0
}

/// The `baggage-octet` of the specification.
const fn is_octet(byte: u8) -> bool {
    (byte >= 0x21) & (byte <= 0x7e) & (byte != b'"') & (byte != b',') & (byte != b';') & (byte != b'\\')
}

/// Whether a byte of a value stands for itself on the wire.
const fn is_plain(byte: u8) -> bool {
    is_octet(byte) && byte != b'%'
}

#[cfg(test)]
mod tests;
