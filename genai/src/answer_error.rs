//! Answers that say that there is none.

use serde_json::Value as Json;

/// The kind and the text of the error in an answer, or in a piece of one, if there is one.
///
/// OpenAI: `{"error": {"message", "type", "code"}}`; in the stream of responses also within `response`, or
/// without the object. Anthropic: `{"type": "error", "error": {"type", "message"}}`. Google: `{"error":
/// {"code", "status", "message"}}`, in a list at times. Ollama: `{"error": "text"}`.
///
/// Source: API references of the four, of 2026-08.
pub(crate) fn read(body: &Json) -> Option<(String, &str)> {
    let body = body.as_array().map_or(body, |list| list.first().unwrap_or(&Json::Null));
    let is_error = |error: &&Json| error.is_object() || error.is_string();
    let mut places = [&body["error"], &body["response"]["error"]].into_iter();
    let error = places.find(is_error).or_else(|| Some(body).filter(|body| body["type"] == "error"))?;
    let kind = ["code", "type", "status"].iter().find_map(|key| word(&error[*key]));
    let text = error.as_str().or_else(|| error["message"].as_str());
    Some((kind.unwrap_or_else(|| "_OTHER".to_owned()), text.unwrap_or("the answer is an error")))
}

/// A word of an API, or a number; anything else may be a sentence with something in it.
fn word(value: &Json) -> Option<String> {
    let is_word = |text: &&str| {
        (1..=64).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    };
    value.as_str().filter(is_word).map(str::to_owned).or_else(|| value.as_u64().map(|code| code.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    #[test]
    fn errors_are_found_in_the_forms_of_all_providers() {
        let quota = "You exceeded your current quota";
        for (body, kind, text) in [
            (
                json!({"error": {"message": quota, "type": "insufficient", "code": "insufficient_quota"}}),
                "insufficient_quota",
                quota,
            ),
            (
                json!({"error": {"message": "no", "type": "invalid_request_error", "code": null}}),
                "invalid_request_error",
                "no",
            ),
            (
                json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
                "overloaded_error",
                "Overloaded",
            ),
            (json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "no"}}), "429", "no"),
            (json!([{"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "no"}}]), "400", "no"),
            (json!({"error": {"status": "INTERNAL"}}), "INTERNAL", "the answer is an error"),
            (json!({"type": "error", "code": "ERR", "message": "no", "param": null}), "ERR", "no"),
            (
                json!({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "no"}}}),
                "server_error",
                "no",
            ),
            (json!({"error": "model not found"}), "_OTHER", "model not found"),
            (json!({"error": {"type": "you said something", "message": "no"}}), "_OTHER", "no"),
        ] {
            assert_eq!(super::read(&body), Some((kind.to_owned(), text)), "{body}");
        }
    }

    #[test]
    fn other_answers_have_none() {
        for body in [
            json!({"error": null, "choices": []}),
            json!({"id": "resp_1", "status": "completed", "error": null}),
            json!({"response": {"error": null}, "type": "response.completed"}),
            json!({"type": "message", "content": []}),
            json!({"error": false}),
            json!([]),
            Json::Null,
        ] {
            assert_eq!(super::read(&body), None, "{body}");
        }
    }
}
