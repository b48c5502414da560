use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;
use spandrel_api_client::{ApiClient, Request, reqwest};

use super::call::ModelCall;
use super::options::{ClientOptions, Key};
use crate::{Error, ErrorKind, Operation};

/// The API of OpenAI, and of all that speak it; each call is an operation.
///
/// ```no_run
/// use serde_json::json;
/// use spandrel_genai::clients::{ClientOptions, TracedOpenAi};
///
/// # async fn ask() -> Result<(), spandrel_genai::Error> {
/// let openai = TracedOpenAi::new(ClientOptions::new(std::env::var("OPENAI_API_KEY").unwrap_or_default()))?;
/// let request = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "What is a spandrel?" }] });
/// let answer = openai.chat(request).send().await?;
/// println!("{} ({:?})", answer.text(), answer.usage());
/// # Ok(()) }
/// ```
///
/// Clones are cheap and share their connections.
#[derive(Debug, Clone)]
pub struct TracedOpenAi {
    connection: Arc<Connection>,
}

impl TracedOpenAi {
    /// A client; of `https://api.openai.com/v1` unless the options have another URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Build`] if the options cannot be used, [`ErrorKind::ConfigInvalid`] if the URL is `https` and this crate
    /// has not the feature `rustls`.
    pub fn new(options: ClientOptions) -> Result<Self, Error> {
        let connection = Connection::new(options, "openai", "https://api.openai.com/v1", Protocol::OpenAi)?;
        Ok(Self { connection: Arc::new(connection) })
    }

    /// A chat completion: the body of `POST /chat/completions`.
    pub fn chat(&self, request: impl Into<Json>) -> ModelCall {
        ModelCall::new(&self.connection, Operation::Chat, "/chat/completions", request.into())
    }

    /// A response: the body of `POST /responses`.
    pub fn responses(&self, request: impl Into<Json>) -> ModelCall {
        ModelCall::new(&self.connection, Operation::Chat, "/responses", request.into())
    }

    /// Vectors: the body of `POST /embeddings`.
    pub fn embeddings(&self, request: impl Into<Json>) -> ModelCall {
        ModelCall::new(&self.connection, Operation::Embeddings, "/embeddings", request.into())
    }
}

/// The API of Anthropic; each call is an operation.
///
/// ```no_run
/// use spandrel_genai::clients::{ChatRequest, ClientOptions, TracedAnthropic};
///
/// # async fn ask() -> Result<(), spandrel_genai::Error> {
/// let anthropic = TracedAnthropic::new(ClientOptions::new(std::env::var("ANTHROPIC_API_KEY").unwrap_or_default()))?;
/// let request = ChatRequest::new("claude-3-5-haiku-latest").user("What is a spandrel?").max_tokens(200);
/// let mut answer = anthropic.messages(request.to_anthropic()).stream().await?;
/// while let Some(text) = answer.next_text().await? {
///     print!("{text}");
/// }
/// # Ok(()) }
/// ```
///
/// Clones are cheap and share their connections.
#[derive(Debug, Clone)]
pub struct TracedAnthropic {
    connection: Arc<Connection>,
}

impl TracedAnthropic {
    /// A client; of `https://api.anthropic.com/v1` unless the options have another URL. A URL for Anthropic's own clients
    /// gets a `/v1` at its end here.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Build`] if the options cannot be used, [`ErrorKind::ConfigInvalid`] if the URL is `https` and this crate
    /// has not the feature `rustls`.
    pub fn new(options: ClientOptions) -> Result<Self, Error> {
        let connection = Connection::new(options, "anthropic", "https://api.anthropic.com/v1", Protocol::Anthropic)?;
        Ok(Self { connection: Arc::new(connection) })
    }

    /// A message: the body of `POST /messages`.
    pub fn messages(&self, request: impl Into<Json>) -> ModelCall {
        ModelCall::new(&self.connection, Operation::Chat, "/messages", request.into())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    OpenAi,
    Anthropic,
}

/// Source: API reference of Anthropic, Versioning.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// A provider and the way to it.
pub(super) struct Connection {
    pub(super) protocol: Protocol,
    pub(super) provider: String,
    pub(super) base_url: String,
    /// Host and port.
    pub(super) server: Option<(String, u16)>,
    pub(super) key: Key,
    headers: Vec<(String, Key)>,
    http: ApiClient,
}

impl Connection {
    fn new(options: ClientOptions, provider: &str, base_url: &str, protocol: Protocol) -> Result<Self, Error> {
        let base_url = options.base_url.clone().unwrap_or_else(|| base_url.to_owned());
        let url = reqwest::Url::parse(&base_url).map_err(|error| {
            Error::of_call(ErrorKind::Build, format!("the base URL of {provider} cannot be used: {error}"))
        })?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            let text =
                format!("the base URL of {provider} has a password or a query, which would be shown; use `header`");
            return Err(Error::of_call(ErrorKind::Build, text));
        }
        let http = options.client(&url)?;
        Ok(Self {
            protocol,
            provider: options.provider.unwrap_or_else(|| provider.to_owned()),
            server: url.host_str().and_then(|host| Some((host.to_owned(), url.port_or_known_default()?))),
            base_url,
            key: options.key,
            headers: options.headers,
            http,
        })
    }

    /// What a request is called in errors.
    pub(super) fn name(&self, path: &str) -> String {
        format!("{} POST {path}", self.provider)
    }

    /// The request, which may be sent again: a model that was asked twice has done no harm.
    pub(super) fn post(&self, path: &str, body: &Json) -> Request {
        let mut request =
            self.http.post(&[&self.base_url, path].concat()).url_template(path).idempotent(true).json(body);
        let is_set = |name: &str| self.headers.iter().any(|(set, _)| set == name);
        match self.protocol {
            Protocol::OpenAi if !is_set("authorization") => request = request.bearer(self.key.secret()),
            Protocol::OpenAi => {}
            Protocol::Anthropic => {
                if !is_set("x-api-key") {
                    request = request.header("x-api-key", self.key.secret());
                }
                if !is_set("anthropic-version") {
                    request = request.header("anthropic-version", ANTHROPIC_VERSION);
                }
            }
        }
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value.secret()))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("provider", &self.provider)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
