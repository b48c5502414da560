use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use spandrel_api_client::{ApiClient, Retry, reqwest};

use crate::{Error, ErrorKind};

/// How a provider is reached.
///
/// ```
/// use std::time::Duration;
/// use spandrel_genai::clients::{ClientOptions, TracedOpenAi};
///
/// let options = ClientOptions::new("a key").base_url("http://127.0.0.1:8080/v1").idle_timeout(Duration::from_secs(30));
/// let openai = TracedOpenAi::new(options)?;
/// # Ok::<(), spandrel_genai::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing until a client is made of them"]
pub struct ClientOptions {
    pub(super) key: Key,
    pub(super) base_url: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) headers: Vec<(String, Key)>,
    http: Option<ApiClient>,
    retry: Retry,
    timeout: Option<Duration>,
    idle_timeout: Option<Duration>,
    propagates: bool,
    has_http_spans: bool,
}

impl ClientOptions {
    /// With a key, two retries, and the vendor's own URL. A retry waits for a random part of half a second, which doubles
    /// up to 8 s, or as long as the provider asks for; if that is more than a minute, there is none.
    pub fn new(api_key: impl Into<String>) -> Self {
        Self {
            key: Key(api_key.into()),
            base_url: None,
            provider: None,
            headers: Vec::new(),
            http: None,
            retry: Retry::new(2).waits(FIRST_WAIT, LONGEST_WAIT).retry_after_limit(LONGEST_ASKED_FOR),
            timeout: None,
            idle_timeout: None,
            propagates: false,
            has_http_spans: true,
        }
    }

    /// Where requests go instead, up to and with the version: `https://api.groq.com/openai/v1`. Anthropic's as well,
    /// whose own clients add the `/v1` themselves: `https://api.anthropic.com/v1`. To `localhost` and loopback
    /// addresses requests go past a proxy that the environment names.
    pub fn base_url(mut self, url: &str) -> Self {
        self.base_url = Some(url.trim_end_matches('/').to_owned());
        self
    }

    /// Whose models these are, where it is not the vendor of the API: `groq`, `deepseek`, `azure.ai.openai`. By this name
    /// [prices](crate#tokens-and-money) are found.
    pub fn provider(mut self, name: &str) -> Self {
        self.provider = Some(name.to_owned());
        self
    }

    /// A header of each request, in place of the client's own of that name. Its value is taken for a secret.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), Key(value.to_owned())));
        self
    }

    /// How often, and after which waits, a request is sent again: after the status 408, 409, 429 and all from 500 up, unless
    /// the provider's `x-should-retry` says otherwise, and if no response came; never once an answer has begun. The
    /// waits are those of `retry`.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How long one attempt may take, the whole answer included; no limit unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long nothing may come: before the answer, and between two parts of a stream; no limit unless set.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Whether the provider gets the ids of the trace, and baggage if there is any; no unless set: it
    /// is nobody's business there. Set it for a gateway of your own.
    pub fn propagate(mut self, on: bool) -> Self {
        self.propagates = on;
        self
    }

    /// Whether the requests of a call have spans of their own, `call POST /chat/completions` and one for each attempt; yes
    /// unless set. Without them there is the span of the operation alone, and no trace headers are sent.
    pub fn http_spans(mut self, on: bool) -> Self {
        self.has_http_spans = on;
        self
    }

    /// The client that sends, in place of one with the settings above but key and headers: retries, time limits,
    /// propagation and spans are as it has them.
    pub fn http(mut self, client: ApiClient) -> Self {
        self.http = Some(client);
        self
    }

    pub(super) fn client(&self, url: &reqwest::Url) -> Result<ApiClient, Error> {
        if let Some(client) = &self.http {
            return Ok(client.clone());
        }
        // Otherwise each call would try three times to say something else.
        if url.scheme() == "https" && cfg!(not(feature = "rustls")) {
            let text = format!("{url}: https needs the feature `rustls` of spandrel-genai");
            return Err(Error::of_call(ErrorKind::ConfigInvalid, text));
        }
        let mut client = ApiClient::builder().retry(self.retry.clone());
        client = client.is_transient(|status| is_transient(status.as_u16()));
        if let Some(timeout) = self.timeout {
            client = client.timeout(timeout);
        }
        // Without a need the client keeps its own, which knows how long lookups take.
        let is_here = is_loopback(url);
        if is_here || self.idle_timeout.is_some() {
            let mut http = reqwest::Client::builder();
            if is_here {
                http = http.no_proxy();
            }
            if let Some(timeout) = self.idle_timeout {
                http = http.read_timeout(timeout);
            }
            client = client.reqwest(http);
        }
        if !self.propagates {
            client = client.propagate_to(&[]);
        }
        client.tracing(self.has_http_spans).build().map_err(|error| Error::of_client(&error, false))
    }
}

/// As the clients of the vendors have them: openai-python and anthropic-sdk-python of 2026-08, `_constants.py` and `_base_client.py`.
/// The longest wait asked for is Anthropic's; OpenAI's client waits for two minutes.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
const LONGEST_ASKED_FOR: Duration = Duration::from_secs(60);

/// Whether the same request may go better later; from the same source.
pub(super) const fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 409 | 429 | 500..)
}

/// Whether it is this machine, to which no proxy leads.
fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// A secret, which prints as nothing.
#[derive(Clone)]
pub(super) struct Key(String);

impl Key {
    #[cfg(test)]
    pub(super) fn new(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// For the header that it is for, and nothing else.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }

    /// The text without the key, which careless servers quote.
    pub(super) fn removed_from(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "[key]") }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}
