//! What is wrong with the table `[ai]`, in the words that the facade has for its own tables.

use serde::Deserialize;
use spandrel::__private::nearest;
use toml::{Table, Value};

use crate::{Error, Settings};

/// Says which setting cannot be read: serde says only why.
pub(crate) fn told(text: &str, error: &toml::de::Error) -> Error {
    let found = text.parse().ok().and_then(|table: Table| find(&table, &["ai"]));
    found.unwrap_or_else(|| Error::new(format!("[ai]: {}", error.message())))
}

/// The first setting that cannot be read by itself.
fn find(table: &Table, path: &[&str]) -> Option<Error> {
    table.iter().find_map(|(key, value)| {
        let path = &[path, &[key]].concat();
        let Value::Table(below) = value else { return refused(path, value) };
        // Whether there is such a table at all, and then what is in it.
        refused(path, &Value::Table(Table::new())).or_else(|| find(below, path))
    })
}

fn refused(path: &[&str], value: &Value) -> Option<Error> {
    let (key, tables) = path.split_last()?;
    // All settings have defaults, so that each can be read alone.
    let alone = path[1..]
        .iter()
        .rev()
        .fold(value.clone(), |value, key| Value::Table([((*key).to_owned(), value)].into_iter().collect()));
    let error = Settings::deserialize(alone).err()?;
    let text = words(key, value, error.message());
    Some(Error::new(format!("[{}]: {text}", tables.join("."))).with_key(path.join(".")))
}

/// What serde says, as the tables of the facade have it.
fn words(key: &str, value: &Value, message: &str) -> String {
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    // Every second piece is between backticks.
    let mut known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let meant = |word: &str, known: &[&str]| {
        nearest(word, known.iter().copied()).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
    };
    if what.starts_with("unknown field ") {
        return format!("unknown configuration key `{key}`{} (known here: {})", meant(key, &known), known.join(", "));
    }
    if let Some(word) = what.strip_prefix("unknown variant `").and_then(|rest| rest.strip_suffix('`')) {
        known.push("both");
        return format!("there is no {key} `{word}`{} (known here: {})", meant(word, &known), known.join(", "));
    }
    let expected = match expected {
        "" => return message.to_owned(),
        "a boolean" => "true or false",
        "f64" => "a number",
        "usize" => "a whole number from 0 up",
        _ if expected.starts_with("struct ") => "a table",
        other => other,
    };
    format!("`{key}` must be {expected}, not {}", shown(value))
}

/// As JSON, which looks as TOML does for all but tables.
pub(crate) fn shown(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::Settings;

    #[test]
    fn mistakes_name_the_table_the_key_and_what_is_possible() {
        let all = "dialect, dialects, content, max_content_bytes, baggage, hide, budget";
        let dialects = "otel-genai-1.41, otel-genai-next, openinference, legacy-cost-katana, legacy-ai-infra, \
                        legacy-ai-storefront, legacy-arize, both";
        for (text, key, says) in [
            (
                "contents = true",
                "ai.contents",
                &*format!("[ai]: unknown configuration key `contents`; did you mean `content`? (known here: {all})"),
            ),
            ("baggage = 1", "ai.baggage", "[ai]: `baggage` must be true or false, not 1"),
            ("content = { a = 1 }", "ai.content", "[ai]: `content` must be true or false, not {}"),
            (
                "max_content_bytes = -1",
                "ai.max_content_bytes",
                "[ai]: `max_content_bytes` must be a whole number from 0 up, not -1",
            ),
            ("hide = true", "ai.hide", "[ai]: `hide` must be a table, not true"),
            (
                "content = true\n[budget]\nday_usd = '1'",
                "ai.budget.day_usd",
                "[ai.budget]: `day_usd` must be a number, not \"1\"",
            ),
            (
                "[budget]\nday = 1",
                "ai.budget.day",
                "[ai.budget]: unknown configuration key `day`; did you mean `day_usd`? (known here: session_usd, user_usd, day_usd)",
            ),
            (
                "[hied]\ninputs = true",
                "ai.hied",
                &format!("[ai]: unknown configuration key `hied`; did you mean `hide`? (known here: {all})"),
            ),
            (
                "dialect = 'openinfrence'",
                "ai.dialect",
                &format!(
                    "[ai]: there is no dialect `openinfrence`; did you mean `openinference`? (known here: {dialects})"
                ),
            ),
            ("dialect = 7", "ai.dialect", "[ai]: `dialect` must be a name or a list of names"),
        ] {
            let error = Settings::from_toml(text).unwrap_err();
            assert_eq!((error.key(), &*error.to_string()), (Some(key), says), "{text}");
        }
        let error =
            Settings::from_toml("hide = { inputs = true, in_text = true, output = 1 }").unwrap_err().to_string();
        assert!(error.starts_with("[ai.hide]: unknown configuration key `in_text` (known here: inputs, "), "{error}");
        // Each is right, but not both.
        let error = Settings::from_toml("dialect = 'both'\ndialects = 'both'").unwrap_err();
        assert_eq!((error.key(), &*error.to_string()), (None, "[ai]: duplicate field `dialect`"));
    }
}
