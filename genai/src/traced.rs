//! What `#[traced]` expands to for functions that are operations; nobody else calls it.

use std::cell::LazyCell;
use std::fmt::Display;

use serde_json::{Map, Value as Json};
use spandrel::Span;

use crate::running::Place;
use crate::settings::in_force;
use crate::{Operation, Record, Running};

/// A text, whatever holds it.
#[inline]
pub fn text<T: AsRef<str> + ?Sized>(text: &T) -> &str {
    text.as_ref()
}

/// How long the text of a captured value may be unless the user says otherwise.
#[must_use]
pub fn max_bytes() -> usize {
    in_force().settings.max_content_bytes
}

/// What is written at the end, and where the work happens until then.
pub fn parts(running: &mut Running) -> (&mut Record, Place<'_>) {
    running.parts()
}

/// Its span.
pub fn span(running: &mut Running) -> &mut Span {
    running.span()
}

/// What a function is called with.
#[derive(Debug, Default)]
pub struct Arguments(Map<String, Json>);

impl Arguments {
    /// One more, as `Debug` has it.
    pub fn add(&mut self, name: &str, text: String) {
        self.0.insert(name.to_owned(), from_debug(text));
    }

    /// All of them.
    #[must_use]
    pub fn into_json(self) -> String {
        Json::Object(self.0).to_string()
    }
}

/// Many values look the same to `Debug` and in JSON: numbers, texts, lists of them. All else is a text.
fn from_debug(text: String) -> Json {
    let without_spaces = |text: &str| text.split_whitespace().collect::<String>();
    match serde_json::from_str::<Json>(&text) {
        // Not a number that JSON would round.
        Ok(json) if without_spaces(&json.to_string()) == without_spaces(&text) => json,
        _ => Json::String(text),
    }
}

/// What came of a function, as `Debug` has it; asked for only where content is recorded.
pub fn output(running: &mut Running, text: impl FnOnce() -> String) {
    let text = LazyCell::new(|| match from_debug(text()) {
        Json::String(text) => text,
        json => json.to_string(),
    });
    if running.operation() == Operation::Tool {
        running.set_tool_result(|| text.as_str());
    }
    running.set_output(|| text.as_str());
}

/// What `err` can look at.
#[diagnostic::on_unimplemented(
    message = "`err` looks at a `Result`, and this function returns `{Self}`",
    label = "not a `Result`",
    note = "remove `err`, or return a `Result`"
)]
pub trait Outcome {
    /// What is good.
    type Good;

    /// Makes the operation one that failed, if this is an error.
    fn record_in(&self, running: &mut Running);

    /// What came of it, if it is no error.
    fn good(&self) -> Option<&Self::Good>;
}

impl<T, E: Display> Outcome for Result<T, E> {
    type Good = T;

    fn record_in(&self, running: &mut Running) {
        if let Err(error) = self {
            running.set_error_of(error);
        }
    }

    fn good(&self) -> Option<&T> {
        self.as_ref().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    #[test]
    fn arguments_are_json_where_debug_is() {
        let mut all = Arguments::default();
        all.add("text", format!("{:?}", "a \"b\"  c"));
        all.add("list", format!("{:?}", [1.5, 2.0]));
        all.add("some", format!("{:?}", Some(1)));
        all.add("huge", format!("{:?}", u128::MAX));
        all.add("cut", "\"abc…".to_owned());
        assert_eq!(
            all.into_json(),
            r#"{"cut":"\"abc…","huge":"340282366920938463463374607431768211455","list":[1.5,2.0],"some":"Some(1)","text":"a \"b\"  c"}"#
        );
    }
}
