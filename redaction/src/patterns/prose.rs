//! Sentences that tell a password.

use std::ops::Range;

use super::credentials::schemes;
use super::expression;
use super::starts::{WORDS, Word};
use crate::text::is_mixed;
use crate::value::{is_algorithm, is_masked, is_stop_word};

expression!(
    IS,
    r#"(?i)\b(pass ?word|passwd|passphrase|pass ?code|pin(?: code| number)?|otp|one[- ]time (?:code|password)|(?:api|secret|access|private|signing) key|(?:access|auth|api|session|refresh|bearer) token|client secret|verification code|kennwort|passwort|mot de passe|contraseña|security code|cvv|cvc)(?:['"`*]*)\s+(?:is|was|will be|to|lautet|ist|est|es|of)\s*:?\s*(?:now |still |set to |jetzt )?(['"`*]*)([^\s'"`]{4,})"#
);
expression!(NEXT, r#"(?i)(?:password|passwd|passphrase|passwort|kennwort|passcode)\s+['"`]?([^\s'"`]{6,})"#);
expression!(
    FOR,
    r#"(?i)(?:password|passwd|passphrase|passwort|kennwort|passcode|api key|secret key|access token)\s+(?:for|of|für|de)\s+[^\s:=]+(?: [^\s:=]+){0,3}\s*[:=]\s*(?:'([^'\r\n]+)'|"([^"\r\n]+)"|`([^`\r\n]+)`|([^\s'"`]{4,}))"#
);
expression!(CVV, r"(?i)\bcv[vc]2?\s+(?:code\s+)?([0-9]{3,4})\b");
expression!(NETRC, r"(?i)\b(?:login|user|account)\s+\S+\s+password\s+([A-Za-z0-9]\S+)");
expression!(SQL, r#"(?i)\bidentified (?:by|with \w+ by)\s+['"]([^'"]+)['"]"#);

/// What sentences tell, if there are words of the kind.
pub(super) fn find(text: &str, words: &[bool; WORDS]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if words[Word::Scheme as usize] {
        found.extend(schemes(text));
    }
    if words[Word::Sql as usize] {
        found.extend(SQL.captures_iter(text).filter_map(|told| Some(told.get(1)?.range())));
    }
    if words[Word::Prose as usize] {
        sentences(text, &mut found);
    }
    found
}

fn sentences(text: &str, found: &mut Vec<Range<usize>>) {
    let end = ['.', ',', ';', ':', '!', '?', ')', '*'];
    for told in IS.captures_iter(text) {
        let (Some(quote), Some(value)) = (told.get(2), told.get(3)) else { continue };
        let word = value.as_str().trim_end_matches(end);
        let is_odd = |c: char| !(c.is_alphanumeric() || "_.,;'-".contains(c));
        let is_password = word.contains(|c: char| c.is_ascii_digit()) || !quote.is_empty() || word.contains(is_odd);
        if is_password && !is_stop_word(word) {
            found.push(value.start()..value.start() + word.len());
        }
    }
    for told in NEXT.captures_iter(text) {
        let Some(value) = told.get(1) else { continue };
        let word = value.as_str().trim_end_matches(end);
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        let is_code = word.find(|c| !is_name(c)).is_some_and(|at| word[at..].starts_with(['=', '(', '[']));
        if word.chars().count() >= 6 && is_mixed(word) && !is_algorithm(word) && !is_code {
            found.push(value.start()..value.start() + word.len());
        }
    }
    for told in FOR.captures_iter(text) {
        let Some((i, value)) = (1..=4).find_map(|i| told.get(i).map(|value| (i, value))) else { continue };
        if i < 4 || !is_stop_word(value.as_str()) && !is_masked(value.as_str()) {
            found.push(value.range());
        }
    }
    found.extend(CVV.captures_iter(text).filter_map(|told| Some(told.get(1)?.range())));
    let logins = NETRC.captures_iter(text).filter_map(|told| told.get(1));
    found.extend(logins.filter(|value| !is_stop_word(value.as_str())).map(|value| value.range()));
}
