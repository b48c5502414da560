//! Seeded secrets, all of which are found, and look-alikes, of which hardly any is.

#![cfg(feature = "patterns")]

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use spandrel_redaction::{Category, Keys, Patterns, replace};

const MARK: &str = "[REDACTED]";

fn read(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn redact(keys: &Keys, patterns: &Patterns, text: &str, key: Option<&str>) -> String {
    if key.is_some_and(|key| keys.is_secret(key, Some(text))) {
        return MARK.to_owned();
    }
    let found = keys.find(text, key, &|text, key| patterns.find(text, key));
    let may_match = patterns.may_match(text);
    let by_patterns = patterns.find(text, key);
    assert!(may_match || by_patterns.is_empty(), "the quick look misses {by_patterns:?} in {text:?}");
    replace(text, &found, |_, _| Cow::Borrowed(MARK)).into_owned()
}

/// As it is, and behind the escapes of URLs and JSON.
fn forms(text: &str) -> Vec<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let code = behind.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match code.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    let mut forms = vec![text.to_owned(), String::from_utf8_lossy(&bytes).into_owned()];
    forms.extend(serde_json::from_str::<Value>(text).ok().map(|json| json.to_string()));
    forms
}

#[test]
fn all_seeded_secrets_are_found() {
    let (keys, patterns) = (Keys::new([]), Patterns::new(Category::ALL));
    let secrets = read(include_str!("data/secrets.json"));
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut missed = Vec::new();
    for item in &secrets {
        *kinds.entry(item["kind"].as_str().unwrap()).or_default() += 1;
        let text = item["text"].as_str().unwrap();
        let clean = redact(&keys, &patterns, text, item["key"].as_str());
        let also = item["also"].as_array().into_iter().flatten();
        let mut all = std::iter::once(&item["secret"]).chain(also).map(|secret| secret.as_str().unwrap());
        if all.any(|secret| forms(&clean).iter().any(|form| form.contains(secret))) {
            missed.push(format!("{}: {text:?} became {clean:?}", item["kind"]));
        }
        let again = redact(&keys, &patterns, &clean, item["key"].as_str());
        assert_eq!(again, clean, "what is clean stays");
        if text.starts_with(['{', '[']) && serde_json::from_str::<Value>(text).is_ok() {
            assert!(serde_json::from_str::<Value>(&clean).is_ok(), "{text} became {clean}");
        }
    }
    println!("{} secrets: {kinds:?}", secrets.len());
    assert!(secrets.len() >= 500);
    assert!(missed.is_empty(), "{} of {} were missed:\n{}", missed.len(), secrets.len(), missed.join("\n"));
}

#[test]
fn hardly_any_look_alike_is_redacted() {
    let (keys, patterns) = (Keys::new([]), Patterns::new(Category::ALL));
    let harmless = read(include_str!("data/harmless.json"));
    let mut wrong = Vec::new();
    for item in &harmless {
        let text = item["text"].as_str().unwrap();
        let clean = redact(&keys, &patterns, text, item["key"].as_str());
        if clean != text {
            wrong.push(format!("{}: {text:?} became {clean:?}", item["like"]));
        }
    }
    println!("{} of {} look-alikes were redacted: {wrong:#?}", wrong.len(), harmless.len());
    assert!(harmless.len() >= 500);
    assert!(wrong.len() * 100 <= harmless.len(), "{} of {}:\n{}", wrong.len(), harmless.len(), wrong.join("\n"));
}

#[test]
fn texts_keep_their_meaning_as_json() {
    let (keys, patterns) = (Keys::new(["customer_no"]), Patterns::new(Category::ALL));
    for (text, clean) in [
        (r#"{"password": 12, "a": [1, {"b": true}]}"#, r#"{"password": "[REDACTED]", "a": [1, {"b": true}]}"#),
        (r#"{"secrets": {"a": 1}, "token": null}"#, r#"{"secrets": "[REDACTED]", "token": null}"#),
        (r#"{"x": "{\"password\": {\"a\": 1}}"}"#, r#"{"x": "{\"password\": \"[REDACTED]\"}"}"#),
        (r#"{"x": "bob\u0040example.com, \u00e4"}"#, r#"{"x": "[REDACTED], \u00e4"}"#),
        (r#"[{"name": "X-Api-Key", "value": 7}]"#, r#"[{"name": "X-Api-Key", "value": "[REDACTED]"}]"#),
        (r#"["--token", "abcdefg12", "x"]"#, r#"["--token", "[REDACTED]", "x"]"#),
        (r#"{"customer_no": true}"#, r#"{"customer_no": "[REDACTED]"}"#),
        (r#"{"n": 4111111111111111}"#, r#"{"n": "[REDACTED]"}"#),
        (r#"{"bob@example.com": 1}"#, r#"{"[REDACTED]": 1}"#),
    ] {
        assert_eq!(redact(&keys, &patterns, text, None), clean);
    }
    let deep = "[".repeat(200) + "\"bob@example.com\"" + &"]".repeat(200);
    assert!(!redact(&keys, &patterns, &deep, None).contains("bob"));
}

#[test]
fn rules_of_ones_own() {
    let patterns = Patterns::new([]).with_rule("order", "ORD-[0-9]{8}").unwrap();
    let text = "ORD-12345678 by bob@example.com";
    assert_eq!(redact(&Keys::none(), &patterns, text, None), "[REDACTED] by bob@example.com");
    for (bad, reason) in [("a(", "unclosed group"), ("x*", "the empty text"), ("(a{500}){500}", "exceeds size limit")] {
        let error = Patterns::new([]).with_rule("order", bad).unwrap_err().to_string();
        assert!(error.starts_with("the rule `order` is no regular expression") && error.contains(reason), "{error}");
    }
}
