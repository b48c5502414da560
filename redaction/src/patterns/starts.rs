//! What secrets begin with.

use super::starts_with_ignoring_case;
use super::vendors::VENDORS;

/// What a word announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// A sentence about a password.
    Prose,
    /// The scheme of a header.
    Scheme,
    /// `identified by` of SQL.
    Sql,
    /// A place elsewhere in the text is looked at.
    Other,
}

/// How many kinds of words there are.
pub(super) const WORDS: usize = 4;

/// In any case of letters; with what must follow.
const ALL: [(&str, Word); 33] = [
    ("pass", Word::Prose),
    ("kennwort", Word::Prose),
    ("contrase", Word::Prose),
    ("pin ", Word::Prose),
    ("pin:", Word::Prose),
    ("otp ", Word::Prose),
    ("one-time ", Word::Prose),
    ("one time ", Word::Prose),
    ("key ", Word::Prose),
    ("key* ", Word::Prose),
    ("key\" ", Word::Prose),
    ("key` ", Word::Prose),
    ("token ", Word::Prose),
    ("secret ", Word::Prose),
    ("code ", Word::Prose),
    ("cvv", Word::Prose),
    ("cvc", Word::Prose),
    ("bearer", Word::Scheme),
    ("basic", Word::Scheme),
    ("identified", Word::Sql),
    ("private key", Word::Other),
    ("hooks.slack", Word::Other),
    ("discord.com/api", Word::Other),
    ("discordapp.com/api", Word::Other),
    // The end of a key of Mailchimp.
    ("us1", Word::Other),
    ("us2", Word::Other),
    ("us3", Word::Other),
    ("us4", Word::Other),
    ("us5", Word::Other),
    ("us6", Word::Other),
    ("us7", Word::Other),
    ("us8", Word::Other),
    ("us9", Word::Other),
];

pub(super) fn word_at(text: &str, at: usize) -> Option<Word> {
    let rest = text.get(at..)?;
    let first = rest.as_bytes().first()?.to_ascii_lowercase();
    let mut known = ALL.iter().filter(|(word, _)| word.as_bytes()[0] == first);
    known.find(|(word, _)| starts_with_ignoring_case(rest, word)).map(|(_, word)| *word)
}

/// Whether the letters here begin anything that is looked for; rarely yes where they do not.
#[inline]
pub(super) fn may_begin(bytes: &[u8], at: usize) -> bool {
    let Some(&[first, second, third]) = bytes.get(at..at + 3) else { return false };
    let place = place(first, second, third);
    BEGINNINGS[place / 64] >> (place % 64) & 1 != 0
        // An account number.
        || third.is_ascii_digit() && first.is_ascii_alphabetic() && second.is_ascii_alphabetic()
        // The number of a bot, in base64.
        || matches!(first, b'M' | b'N' | b'O') && bytes.len() - at > 57
}

/// Of three letters, whatever their case is.
const fn place(first: u8, second: u8, third: u8) -> usize {
    (first as usize & 31) << 10 | (second as usize & 31) << 5 | third as usize & 31
}

/// A bit for each three letters with which something begins.
static BEGINNINGS: [u64; 512] = {
    let mut bits = [0; 512];
    let mut i = 0;
    while i < VENDORS.len() {
        bits = with(bits, VENDORS[i].prefix.as_bytes());
        i += 1;
    }
    let mut i = 0;
    while i < ALL.len() {
        bits = with(bits, ALL[i].0.as_bytes());
        i += 1;
    }
    with(with(bits, b"eyJ"), b"AGE")
};

const fn with(mut bits: [u64; 512], prefix: &[u8]) -> [u64; 512] {
    let mut third = 0;
    while third < 32 {
        // Whatever follows a prefix of two letters.
        if prefix.len() == 2 || prefix[2] & 31 == third {
            let place = place(prefix[0], prefix[1], third);
            bits[place / 64] |= 1 << (place % 64);
        }
        third += 1;
    }
    bits
}
