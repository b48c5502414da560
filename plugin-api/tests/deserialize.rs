//! A configuration read with serde says as much about a mistake as one read by hand.

use std::num::NonZeroU64;

use serde::Deserialize;
use spandrel_plugin_api::config;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by serde alone")]
struct Config {
    endpoint: String,
    timeout_ms: Option<NonZeroU64>,
    retry: Option<Retry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by serde alone")]
struct Retry {
    attempts: u32,
}

#[test]
fn the_offending_key_is_named() {
    for (text, key, message) in [
        ("", Some("endpoint"), "missing field `endpoint`"),
        ("endpoint = 'x'\ntimeout_ms = 0", Some("timeout_ms"), "invalid value: integer `0`, expected a nonzero u64"),
        ("endpoint = 3", Some("endpoint"), "invalid type: integer `3`, expected a string"),
        ("endpoint = 'x'\nendpiont = 'y'", Some("endpiont"), "unknown field `endpiont`, expected one of"),
        ("endpoint = 'x'\n[retry]", Some("retry.attempts"), "missing field `attempts`"),
        ("endpoint = 'x'\n[retry]\nattempts = 'a'", Some("retry.attempts"), "invalid type: string \"a\", expected u32"),
        ("endpoint = ", None, ""),
    ] {
        let error = config::deserialize::<Config>(text).err().unwrap();
        assert!(error.message().starts_with(message), "{text:?}: {error}");
        assert_eq!(error.context("key"), key, "{text:?}: {error}");
    }
    assert_eq!(config::deserialize::<Config>("endpoint = 'x'").unwrap().endpoint, "x");
}
