//! A quick look at texts, most of which name no secret.

/// Whether there may be a `=` or a `:` in a text, without which it names no secret:
/// whether there is one of `:;<=>?`, which can be told for eight bytes at once.
#[inline(always)]
pub(super) fn may_name_secrets(text: &[u8]) -> bool {
    let word = |word: Option<&[u8; 8]>| word.map_or(0, |word| separators(u64::from_le_bytes(*word)));
    // Words from either end, which may overlap.
    let len = text.len();
    match len {
        0..4 => text.iter().any(|byte| matches!(byte, b':'..=b'?')),
        4..8 => match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => {
                separators(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))) != 0
            }
            _ => true,
        },
        8..=16 => word(text.first_chunk()) | word(text.last_chunk()) != 0,
        17..=32 => {
            let ends = word(text.first_chunk()) | word(text.last_chunk());
            ends | word(text[8..].first_chunk()) | word(text[..len - 8].last_chunk()) != 0
        }
        _ => may_name_secrets_within(text),
    }
}

#[inline(never)]
fn may_name_secrets_within(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks();
    let found = words.iter().fold(0, |found, word| found | separators(u64::from_le_bytes(*word)));
    found != 0 || rest.iter().any(|byte| matches!(byte, b':'..=b'?'))
}

/// Sets the high bit of each of eight bytes that is one of `:;<=>?`.
#[inline]
const fn separators(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES * 0x80;
    // No sum of seven bits and one of these numbers reaches the next byte.
    let low = word & !HIGH;
    let from_colon = low + ONES * (0x80 - b':' as u64);
    let after_question_mark = low + ONES * (0x80 - b'?' as u64 - 1);
    from_colon & !after_question_mark & !word & HIGH
}
