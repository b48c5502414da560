//! A quick look: most texts hold nothing.

use super::{Patterns, Scan, credentials, numbers, prose, starts, vendors};
use crate::category::Category;
use crate::found::Found;
use crate::text::ends_escape;

const DIGIT: u8 = 1;
const LETTER: u8 = 2;
const AT: u8 = 4;
/// What may end an escape, and what is rare: a closer look is needed.
const RARE: u8 = 8;
const DASH: u8 = 16;
/// What a flag may stand behind.
const BLANK: u8 = 32;
const DOT: u8 = 64;
const COLON: u8 = 128;

const WORD: u8 = DIGIT | LETTER;

const CLASS: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'@' => AT,
            b'\\' | b'%' | b'~' | b'|' => RARE,
            b'-' => DASH,
            b' ' | b'\n' | b'\t' | b'\r' | b'"' | b'\'' | b'`' | b'(' | b',' | b'[' => BLANK,
            b'.' => DOT,
            b':' => COLON,
            // The colon of full width. All else that is not ASCII may be no letter, so that a word begins behind it.
            0xef => RARE,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

impl Patterns {
    /// One pass over the bytes.
    pub(super) fn looks_suspicious(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let (mut all, mut digits, mut before) = (0, 0_usize, BLANK);
        for (at, &byte) in bytes.iter().enumerate() {
            let class = CLASS[usize::from(byte)];
            all |= class;
            digits += usize::from(class & DIGIT);
            if before & WORD == 0 {
                if class & WORD != 0 {
                    if starts::may_begin(bytes, at) && self.begins(text, at) {
                        return true;
                    }
                } else if class & DASH != 0
                    && before & BLANK != 0
                    && bytes.get(at + 1).is_some_and(|next| *next != b' ')
                {
                    return true;
                }
            }
            before = class;
        }
        if all & (AT | RARE) != 0 {
            return true;
        }
        if self.wants(Category::Ip) && (all & COLON != 0 || all & DOT != 0 && digits >= 4) {
            return true;
        }
        let longest = if digits < 8 { 0 } else { longest_number(bytes) };
        if longest < 8 {
            return false;
        }
        let scan = Scan::new(text, None);
        self.wants(Category::Phone)
            || self.wants(Category::Card) && longest >= 14 && !numbers::cards(&scan).is_empty()
            || self.wants(Category::Ssn) && longest >= 9 && !numbers::ssns(&scan).is_empty()
            || self.wants(Category::ApiKey) && all & COLON != 0 && !vendors::odd(text).is_empty()
    }

    /// Whether something begins with the word that begins here.
    fn begins(&self, text: &str, at: usize) -> bool {
        starts::word_at(text, at).is_some() || self.start_at(text, at).is_some()
    }

    /// The secret that begins with the word here.
    fn start_at(&self, text: &str, at: usize) -> Option<Found> {
        let known =
            |category, end: Option<usize>| Some(Found::new(at..end?, category)).filter(|_| self.wants(category));
        known(Category::ApiKey, vendors::end_of(text, at))
            .or_else(|| known(Category::PrivateKey, vendors::end_of_age(text, at)))
            .or_else(|| known(Category::Jwt, credentials::end_of_jwt(text, at)))
            .or_else(|| known(Category::Iban, numbers::end_of_iban(text, at)))
    }

    /// Adds what begins with a word of its own.
    pub(super) fn find_starts(&self, scan: &Scan<'_>, found: &mut Vec<Found>) {
        let (text, bytes) = (scan.text, scan.text.as_bytes());
        let mut words = [false; starts::WORDS];
        let mut before = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            let class = CLASS[usize::from(byte)];
            let begins_word = class & WORD != 0 && (before & WORD == 0 || ends_escape(text, at));
            before = class;
            if !begins_word || !text.is_char_boundary(at) || !starts::may_begin(bytes, at) {
                continue;
            }
            if let Some(word) = starts::word_at(text, at) {
                words[word as usize] = true;
            }
            if let Some(one) = self.start_at(text, at) {
                let is_aws = one.category == Category::ApiKey && vendors::is_aws_id(&text[one.range.clone()]);
                if let Some(range) =
                    Some(one.range.end).filter(|_| is_aws).and_then(|end| vendors::aws_secret(text, end))
                {
                    found.push(Found::new(range, Category::ApiKey));
                }
                found.push(one);
            }
        }
        if self.wants(Category::Password) {
            let told = prose::find(text, &words);
            found.extend(told.into_iter().map(|range| Found::new(range, Category::Password)));
        }
    }
}

/// The most digits without a letter between.
fn longest_number(bytes: &[u8]) -> usize {
    let classes = bytes.iter().map(|byte| CLASS[usize::from(*byte)]);
    let streaks = classes.scan(0, |streak, class| {
        *streak = if class & LETTER == 0 { *streak + usize::from(class & DIGIT) } else { 0 };
        Some(*streak)
    });
    streaks.max().unwrap_or_default()
}
