//! Which models there are, and the two forms of asking them.

use spandrel_genai::clients::{ChatRequest, ClientOptions, ModelCall, TracedAnthropic, TracedOpenAi};
use spandrel_model_server::ModelServer;

use crate::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    OpenAi,
    Anthropic,
}

#[derive(Debug)]
pub(crate) struct Models {
    chat: Chat,
    model: String,
    url: String,
    /// Anthropic has none.
    embeddings: Option<TracedOpenAi>,
    /// Where there is no key. It ends with this.
    _own: Option<ModelServer>,
}

#[derive(Debug)]
enum Chat {
    OpenAi(TracedOpenAi),
    Anthropic(TracedAnthropic),
}

impl Models {
    /// Those of the environment, or a server of our own that speaks in this form.
    pub(crate) async fn find(form: Form) -> Result<Self, Error> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = |name: &str, vendor: &str| variable(name).unwrap_or_else(|| vendor.to_owned());
        if let Some(key) = variable("OPENAI_API_KEY") {
            return Self::new(Form::OpenAi, &key, url("OPENAI_BASE_URL", "https://api.openai.com/v1"), None);
        }
        if let Some(key) = variable("ANTHROPIC_API_KEY") {
            return Self::new(Form::Anthropic, &key, url("ANTHROPIC_BASE_URL", "https://api.anthropic.com/v1"), None);
        }
        Self::own(form).await
    }

    /// Those of a server of our own.
    pub(crate) async fn own(form: Form) -> Result<Self, Error> {
        let server = ModelServer::start().await?;
        let url = format!("{}/v1", server.url());
        Self::new(form, "no key is needed", url, Some(server))
    }

    fn new(form: Form, key: &str, url: String, own: Option<ModelServer>) -> Result<Self, Error> {
        if url.starts_with("https:") && cfg!(not(feature = "https")) {
            return Err(format!("{url} needs TLS, which this program was built without: add `--features https`").into());
        }
        let options = ClientOptions::new(key).base_url(&url);
        let has_embeddings = form == Form::OpenAi || own.is_some();
        let embeddings = has_embeddings.then(|| TracedOpenAi::new(options.clone())).transpose()?;
        let (chat, usual) = match form {
            Form::OpenAi => (Chat::OpenAi(TracedOpenAi::new(options)?), "gpt-4o-mini"),
            Form::Anthropic => (Chat::Anthropic(TracedAnthropic::new(options)?), "claude-3-5-haiku-latest"),
        };
        let model = std::env::var("ASSISTANT_MODEL").unwrap_or_else(|_| usual.to_owned());
        Ok(Self { chat, model, url, embeddings, _own: own })
    }

    pub(crate) fn description(&self) -> String {
        format!("{} of {}", self.model, self.url)
    }

    pub(crate) fn request(&self) -> ChatRequest {
        ChatRequest::new(self.model.as_str())
    }

    pub(crate) fn ask(&self, request: &ChatRequest) -> ModelCall {
        match &self.chat {
            Chat::OpenAi(client) => client.chat(request.to_openai()),
            // All of the system prompt and the tools may be cached.
            Chat::Anthropic(client) => {
                let mut body = request.to_anthropic();
                body["system"][0]["cache_control"] = serde_json::json!({ "type": "ephemeral" });
                client.messages(body)
            }
        }
    }

    pub(crate) const fn embeddings(&self) -> Option<&TracedOpenAi> {
        self.embeddings.as_ref()
    }
}
