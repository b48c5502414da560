use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use spandrel_api_client::{ApiClient, ClientError, Retry, reqwest};

/// How a provider is reached.
///
/// ```
/// use std::time::Duration;
/// use spandrel_genai::clients::{ClientOptions, TracedOpenAi};
///
/// let options = ClientOptions::new("a key").base_url("http://127.0.0.1:8080/v1").idle_timeout(Duration::from_secs(30));
/// let openai = TracedOpenAi::new(options)?;
/// # Ok::<(), spandrel_genai::clients::Error>(())
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
}

impl ClientOptions {
    /// With a key, two retries, and the vendor's own URL.
    pub fn new(api_key: impl Into<String>) -> Self {
        Self {
            key: Key(api_key.into()),
            base_url: None,
            provider: None,
            headers: Vec::new(),
            http: None,
            retry: Retry::new(2),
            timeout: None,
            idle_timeout: None,
            propagates: false,
        }
    }

    /// Where requests go instead: `https://api.groq.com/openai/v1`, with the version in it. To `localhost` and
    /// loopback addresses they go past a proxy that the environment names.
    pub fn base_url(mut self, url: &str) -> Self {
        self.base_url = Some(url.trim_end_matches('/').to_owned());
        self
    }

    /// Whose models these are, where it is not the vendor of the API: `groq`, `deepseek`, `azure.ai.openai`.
    pub fn provider(mut self, name: &str) -> Self {
        self.provider = Some(name.to_owned());
        self
    }

    /// A header of each request, in place of the client's own of that name. Its value is taken for a secret.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), Key(value.to_owned())));
        self
    }

    /// How often, and after which waits, a request is sent again: after the status 408, 429, 502, 503 and 504, as `Retry-After`
    /// says, and if no response came; never once an answer has begun.
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

    /// The client that sends, in place of one with the settings above but key and headers: retries, time limits
    /// and propagation are as it has them.
    pub fn http(mut self, client: ApiClient) -> Self {
        self.http = Some(client);
        self
    }

    pub(super) fn client(&self, url: &reqwest::Url) -> Result<ApiClient, ClientError> {
        if let Some(client) = &self.http {
            return Ok(client.clone());
        }
        let mut client = ApiClient::builder().retry(self.retry.clone());
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
        client.build()
    }
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
