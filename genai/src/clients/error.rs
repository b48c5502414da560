//! The errors of calls.

use serde_json::Value as Json;
use spandrel_api_client::{ClientError, ClientErrorKind, Response};

use super::options::{self, Key};
use crate::error::Inner;
use crate::{Error, ErrorKind};

impl Error {
    pub(super) fn of_call(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self(Box::new(Inner::new(kind, text)))
    }

    /// There was no response, or not all of its body.
    pub(super) fn of_client(error: &ClientError, is_stream: bool) -> Self {
        let kind = match error.kind() {
            ClientErrorKind::Build => ErrorKind::Build,
            ClientErrorKind::Timeout => ErrorKind::Timeout,
            ClientErrorKind::Decode => ErrorKind::Decode,
            _ if is_stream => ErrorKind::Stream,
            _ => ErrorKind::Connect,
        };
        let mut all = Inner::new(kind, error.to_string());
        all.code = Some(error.kind().as_str().to_owned());
        all.is_transient &= error.kind() != ClientErrorKind::Redirect;
        Self(Box::new(all))
    }

    /// The response has a status from 400 up, and this body.
    pub(super) fn of_status(status: u16, body: &[u8], call: &str, key: &Key) -> Self {
        let mut all = Inner::new(ErrorKind::Status, format!("{call} failed: status {status}"));
        all.status = Some(status);
        all.is_transient = options::is_transient(status);
        if let Ok(body) = serde_json::from_slice(body) {
            told(&mut all, &body, key);
        }
        // Providers that do not know a model say so.
        let is_of_model = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains("model"));
        if status == 404 && !is_of_model(&all.code) && !is_of_model(&all.quoted) {
            all.text.push_str(WRONG_PATH);
        }
        Self(Box::new(all))
    }

    /// The stream told of an error.
    pub(super) fn of_event(event: &Json, call: &str, key: &Key) -> Self {
        let mut all = Inner::new(ErrorKind::Stream, format!("{call} failed: the provider broke the stream off"));
        told(&mut all, event, key);
        all.is_transient = all.code.as_deref().is_some_and(|code| TRANSIENT_CODES.contains(&code));
        Self(Box::new(all))
    }

    /// With what the headers say of it.
    pub(super) fn with_headers_of(mut self, response: &Response) -> Self {
        self.0.retry_after = response.retry_after();
        if let Some(said) = response.should_retry() {
            self.0.is_transient = said;
        }
        self.with_request_id(request_id(response))
    }

    pub(super) fn with_request_id(mut self, id: Option<String>) -> Self {
        self.0.request_id = id.or(self.0.request_id.take());
        self
    }

    /// The value of `error.type`: the status, the provider's word, or the kind.
    pub(super) fn error_type(&self) -> String {
        match (self.status(), self.code()) {
            (Some(status), _) => status.to_string(),
            (None, Some(code)) => code.to_owned(),
            (None, None) => self.kind().as_str().to_owned(),
        }
    }
}

/// What else a status of 404 means.
const WRONG_PATH: &str = "; is the base URL right, with the version in it, as in `https://api.openai.com/v1`?";

/// Words of errors within a stream, whose status says nothing.
///
/// Source: API references of Anthropic (Errors) and OpenAI (Error codes) of 2026-08.
const TRANSIENT_CODES: [&str; 6] =
    ["api_error", "overloaded_error", "rate_limit_error", "rate_limit_exceeded", "server_error", "timeout_error"];

/// The provider's id of a request: that of OpenAI, that of Anthropic.
pub(super) fn request_id(response: &Response) -> Option<String> {
    let mut ids = ["x-request-id", "request-id"].iter().filter_map(|name| response.headers().get(*name));
    ids.find_map(|id| id.to_str().ok().map(str::to_owned))
}

/// What the provider says of it: `{"error": {"type", "code", "message"}}`, the same without the
/// object around it, or within a response.
fn told(all: &mut Inner, body: &Json, key: &Key) {
    all.request_id = body["request_id"].as_str().map(str::to_owned);
    let inner = [&body["response"]["error"], &body["error"], body].into_iter().find(|error| error.is_object());
    let Some(error) = inner else { return };
    let text = |name: &str| error[name].as_str().map(|text| key.removed_from(text));
    all.code = text("code").or_else(|| text("type")).filter(|code| is_code(code));
    all.quoted = text("message");
}

/// Whether it is a word of an API; anything else may be a sentence with something in it.
fn is_code(code: &str) -> bool {
    code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::clients::options::Key;
    use crate::{Error, ErrorKind};

    #[test]
    fn errors_say_what_the_provider_says_and_spans_do_not() {
        let body = json!({ "error": { "type": "invalid_request_error", "code": null, "message": "sk-1 is not for 'my secret'" } });
        let error =
            Error::of_status(400, body.to_string().as_bytes(), "openai POST /chat/completions", &Key::new("sk-1"));
        assert_eq!(
            error.to_string(),
            "openai POST /chat/completions failed: status 400 (invalid_request_error): [key] is not for 'my secret'"
        );
        assert_eq!(error.traced(), "openai POST /chat/completions failed: status 400 (invalid_request_error)");
        assert_eq!((error.kind(), error.status(), error.error_type().as_str()), (ErrorKind::Status, Some(400), "400"));
        assert!(!format!("{error:?}").contains("sk-1"));
    }

    #[test]
    fn a_code_that_is_a_sentence_is_none() {
        let event = json!({ "type": "error", "error": { "type": "you said my secret", "message": "no" } });
        let error = Error::of_event(&event, "x", &Key::new("k"));
        assert_eq!((error.code(), error.error_type().as_str()), (None, "stream"));
    }

    #[test]
    fn a_path_that_is_not_there_hints_at_the_base_url() {
        let told = |body: Json| Error::of_status(404, body.to_string().as_bytes(), "x POST /y", &Key::new("k"));
        let hint = "x POST /y failed: status 404; is the base URL right, with the version in it, as in `https://api.openai.com/v1`?";
        assert_eq!(told(Json::Null).to_string(), hint);
        let of_anthropic =
            told(json!({ "type": "error", "error": { "type": "not_found_error", "message": "Not Found" } }));
        assert_eq!(of_anthropic.to_string(), format!("{hint} (not_found_error): Not Found"));
        let no_model =
            told(json!({ "type": "error", "error": { "type": "not_found_error", "message": "model: claude-7" } }));
        assert_eq!(no_model.to_string(), "x POST /y failed: status 404 (not_found_error): model: claude-7");
        assert_eq!(
            told(json!({ "error": { "code": "model_not_found", "message": "no" } })).to_string(),
            "x POST /y failed: status 404 (model_not_found): no"
        );
    }

    #[test]
    fn what_may_go_better_later_is_told_apart() {
        let status = |status: u16| Error::of_status(status, b"", "x", &Key::new("k")).is_transient();
        let statuses = [400, 401, 404, 408, 409, 413, 429, 500, 503, 529].map(status);
        assert_eq!(statuses, [false, false, false, true, true, false, true, true, true, true]);
        let event = |kind: &str| {
            let event = json!({ "type": "error", "error": { "type": kind, "message": "no" }, "request_id": "req_1" });
            let error = Error::of_event(&event, "x", &Key::new("k"));
            assert_eq!(error.request_id(), Some("req_1"));
            error.is_transient()
        };
        assert_eq!(["overloaded_error", "invalid_request_error"].map(event), [true, false]);
        assert!(Error::of_call(ErrorKind::Timeout, "x").is_transient());
        assert!(!Error::of_call(ErrorKind::Decode, "x").is_transient());
        assert!(!Error::new("x").is_transient());
    }
}
