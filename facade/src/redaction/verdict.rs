//! What was found of keys and of texts, remembered by each thread.

use std::cell::Cell;

thread_local! {
    /// Services have few keys, nearly all of them static, and the verdict depends on
    /// the text of the key alone.
    pub(super) static VERDICTS: [Verdict; 128] = const { [const { Verdict::none() }; 128] };
}

#[cfg(feature = "patterns")]
thread_local! {
    /// Texts in which nothing looks like a secret: names of models, routes, reasons, which are told again and again.
    static HARMLESS: [Verdict; 64] = const { [const { Verdict::none() }; 64] };
}

/// Whether a text may hold a secret, by a look that may say yes where there is none; what it finds harmless is remembered.
#[cfg(feature = "patterns")]
#[inline(never)]
pub(super) fn may_match(redaction: u32, text: &str, look: impl FnOnce() -> bool) -> bool {
    HARMLESS.with(|texts| {
        let slot = Verdict::slot_of_text(text);
        // Two places, so that two texts with the same one do not push each other out.
        let [first, second] = [&texts[slot], &texts[slot ^ 1]];
        if first.of(redaction, text).is_some() || second.of(redaction, text).is_some() {
            return false;
        }
        let may_match = look();
        if !may_match {
            let place = if first.redaction.get() == redaction { second } else { first };
            place.set(redaction, text, true);
        }
        may_match
    })
}

#[inline(never)]
pub(super) fn known(slot: usize, redaction: u32, key: &str) -> Option<bool> {
    VERDICTS.with(|verdicts| verdicts.get(slot)?.of(redaction, key))
}

/// What was found of a key, with the key: its place tells where to look, and its
/// text whether it is the one.
pub(super) struct Verdict {
    pub(super) redaction: Cell<u32>,
    is_plain: Cell<bool>,
    len: Cell<u8>,
    words: [Cell<u64>; 6],
}

impl Verdict {
    const fn none() -> Self {
        Self {
            redaction: Cell::new(0),
            is_plain: Cell::new(false),
            len: Cell::new(0),
            words: [const { Cell::new(0) }; 6],
        }
    }

    #[inline]
    pub(super) fn slot_of(key: &str) -> usize {
        let place = key.as_ptr().addr() as u64 ^ (key.len() as u64) << 32;
        (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57) as usize
    }

    /// By its letters, as texts come from anywhere.
    #[cfg(feature = "patterns")]
    #[inline]
    fn slot_of_text(text: &str) -> usize {
        let text = text.as_bytes();
        let mixed = word_of(text, 0) ^ word_of(text, 1).rotate_left(29) ^ text.len() as u64;
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
    }

    pub(super) fn set(&self, redaction: u32, key: &str, is_plain: bool) {
        // A longer key is judged each time.
        let (Ok(len), true) = (u8::try_from(key.len()), key.len() <= 48) else { return };
        self.redaction.set(redaction);
        self.is_plain.set(is_plain);
        self.len.set(len);
        for (i, word) in self.words.iter().enumerate() {
            word.set(word_of(key.as_bytes(), i));
        }
    }

    #[inline(always)]
    pub(super) fn of(&self, redaction: u32, key: &str) -> Option<bool> {
        let key = key.as_bytes();
        if self.redaction.get() != redaction || usize::from(self.len.get()) != key.len() {
            return None;
        }
        let differ = |i: usize| self.words[i].get() ^ word_of(key, i);
        let differ = match key.len() {
            0..8 => differ(0),
            8..=16 => differ(0) | differ(1),
            17..=32 => differ(0) | differ(1) | differ(2) | differ(3),
            _ => differ(0) | differ(1) | differ(2) | differ(3) | differ(4) | differ(5),
        };
        (differ == 0).then_some(self.is_plain.get())
    }
}

/// Some eight bytes of a key: the first, the last, and those next to them in turn.
/// Two are all of a key up to 16, four up to 32, six up to 48 bytes; one up to 7.
#[inline(always)]
fn word_of(key: &[u8], i: usize) -> u64 {
    let at = if i.is_multiple_of(2) { i / 2 * 8 } else { key.len().wrapping_sub((i / 2 + 1) * 8) };
    if let Some(word) = key.get(at..).and_then(|rest| rest.first_chunk()) {
        return u64::from_le_bytes(*word);
    }
    match (key.first_chunk(), key.last_chunk(), key) {
        (Some(first), Some(last), _) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        (_, _, [first, .., last]) => u64::from_le_bytes([*first, key[key.len() / 2], *last, 0, 0, 0, 0, 0]),
        (_, _, [only]) => u64::from(*only),
        _ => 0,
    }
}

#[cfg(all(test, feature = "patterns"))]
mod tests {
    use std::cell::Cell;

    use super::may_match;

    /// Asks, and says whether the text was looked at.
    fn looks(redaction: u32, text: &str, may: bool) -> bool {
        let looked = Cell::new(false);
        let answer = may_match(redaction, text, || {
            looked.set(true);
            may
        });
        assert_eq!(answer, may && looked.get(), "{text}");
        looked.get()
    }

    #[test]
    fn a_harmless_text_is_looked_at_once_by_each_redaction() {
        assert!(looks(1, "gpt-4o", false));
        assert!(!looks(1, "gpt-4o", true), "remembered");
        assert!(looks(2, "gpt-4o", true), "by the other one only");
        assert!(looks(2, "gpt-4o", true), "what may hold a secret is not remembered");
        let long = "x".repeat(49);
        assert!(looks(1, &long, false) && looks(1, &long, false), "too long");
    }

    #[test]
    fn texts_that_differ_in_one_letter_are_told_apart() {
        for len in 1..=48 {
            let mut text = "abcdefgh".repeat(6)[..len].to_owned();
            looks(1, &text, false);
            for at in 0..len {
                let letter = text.as_bytes()[at] as char;
                text.replace_range(at..=at, "Z");
                assert!(looks(1, &text, true), "{text}");
                text.replace_range(at..=at, letter.encode_utf8(&mut [0; 4]));
            }
        }
    }
}
