mod answer;
mod delivery;
mod endpoint;
mod failure;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "client/tls_unsupported.rs"]
mod tls;

use std::io::Read;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use spandrel_plugin_api::{Error, ErrorKind};
use ureq::{Agent, Proxy};

pub use self::delivery::{Delivery, Encode};
pub use self::endpoint::Endpoint;
use crate::settings::{Settings, check_timeout, invalid};
use crate::text::{self, without_secrets};

/// How to speak of a server.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "made by the providers of this workspace alone")]
pub struct Server {
    /// The word of the provider, as in `[provider.<word>]`.
    pub provider: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Where it usually is.
    pub usual: &'static str,
    /// What the requests say that they come from.
    pub user_agent: &'static str,
}

/// Sends requests to one server, one at a time.
#[derive(Debug)]
pub struct Client {
    server: Server,
    endpoint: Endpoint,
    headers: HeaderMap,
    timeout_ms: u64,
    agent: Agent,
}

/// Of an answer no more is read. Whoever has that much to say wants to say something else.
const MOST_BYTES: u64 = 64 << 10;

impl Client {
    /// Reads the file of authorities; connects with the first request.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and if the file cannot be used.
    pub fn new(server: Server, endpoint: Endpoint, settings: &Settings) -> Result<Self, Error> {
        Self::check(&endpoint, settings)?;
        let mut headers = settings.headers.clone();
        if let Some((user, password)) = endpoint.user() {
            let credentials = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
            let value = HeaderValue::try_from(credentials).map_err(|error| {
                Error::new(ErrorKind::Internal, "cannot write the credentials into a header").with_source(error)
            })?;
            headers.entry(AUTHORIZATION).or_insert(value);
        }
        // Any of them may be a secret, that is, not to be repeated in an error.
        headers.values_mut().for_each(|value| value.set_sensitive(true));
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_millis(settings.timeout_ms)))
            .user_agent(server.user_agent)
            .proxy(proxy(&endpoint, settings)?);
        if endpoint.is_https() {
            config = tls::configure(config, settings)?;
        }
        let agent = Agent::new_with_config(config.build());
        Ok(Self { server, endpoint, headers, timeout_ms: settings.timeout_ms, agent })
    }

    /// Whether [`new`](Self::new) would accept this; touches nothing outside.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConfigInvalid`], with the key in the context `key`.
    pub fn check(endpoint: &Endpoint, settings: &Settings) -> Result<(), Error> {
        check_timeout(settings.timeout_ms)?;
        proxy(endpoint, settings)?;
        if cfg!(feature = "tls") {
            return Ok(());
        }
        let without_tls =
            |key, remedy| Err(invalid(key, "this program was built without TLS").with_context("remedy", remedy));
        if endpoint.is_https() {
            without_tls("endpoint", "enable the cargo feature `tls` of spandrel (or of the plugin), or use http://")
        } else if settings.certificate.is_some() {
            without_tls("certificate", "enable the cargo feature `tls` of spandrel (or of the plugin), or leave it out")
        } else {
            Ok(())
        }
    }

    /// Sends one request, in one attempt, and gives back the body of the answer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if it is to be tried again, with
    /// [`Error::retry_after`] if the server said when. Any other is final.
    pub fn post(&self, content_type: &'static str, body: &[u8]) -> Result<Vec<u8>, Error> {
        let result = self.exchange(content_type, body);
        result.map_err(|error| error.with_context("endpoint", self.endpoint.to_string()))
    }

    /// Where it sends to.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn exchange(&self, content_type: &'static str, body: &[u8]) -> Result<Vec<u8>, Error> {
        let mut request = self.agent.post(self.endpoint.uri().clone());
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&self.headers);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let sent = request.send(body);
        let mut response = sent.map_err(|error| failure::explain(self.server, &error, self.timeout_ms))?;
        let mut said = Vec::new();
        // The status has said what became of the spans; the rest is for whoever reads the error.
        let _ = response.body_mut().as_reader().take(MOST_BYTES).read_to_end(&mut said);
        let quoted = |text: &[u8]| self.quoted(text);
        answer::judge(self.server, &response, &said, &quoted, SystemTime::now()).map(|()| said)
    }

    /// What a server said, fit for one line of a log, without what it may have repeated of
    /// the headers sent to it.
    #[must_use]
    pub fn quoted(&self, said: &[u8]) -> String {
        text::quoted(said, &self.headers)
    }

    /// Leaves everything to the parent, in the child of a fork.
    fn abandon(self) {
        // Closing the connections would be harmless, but their locks may be held for ever.
        std::mem::forget(self);
    }
}

/// A header of an answer as text.
fn text_of_header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn proxy(endpoint: &Endpoint, settings: &Settings) -> Result<Option<Proxy>, Error> {
    let (url, is_ours) = match settings.proxy.as_deref() {
        Some("none") => return Ok(None),
        Some(url) => (url.to_owned(), true),
        None => match proxy_of_environment(endpoint) {
            Some(url) => (url, false),
            None => return Ok(None),
        },
    };
    let made = Proxy::new(&url).ok().filter(|proxy| !proxy.host().is_empty());
    match made {
        Some(proxy) if is_ours => Ok(Some(proxy)),
        Some(proxy) => Ok((!is_excepted(endpoint)).then_some(proxy)),
        // What others have set for other programs is no reason not to start.
        None if !is_ours => Ok(None),
        None => Err(invalid("proxy", format!("the proxy `{}` is not a URL", without_secrets(&url)))
            .with_context("remedy", "write it like http://proxy:3128, or \"none\"")),
    }
}

/// By the scheme of the endpoint, as other programs do; ureq takes any.
///
/// `HTTP_PROXY` in capitals is left out: in a CGI program a request can set it.
fn proxy_of_environment(endpoint: &Endpoint) -> Option<String> {
    let names: &[&str] = if endpoint.is_https() {
        &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    } else {
        &["http_proxy", "ALL_PROXY", "all_proxy"]
    };
    names.iter().filter_map(|name| std::env::var(name).ok()).find(|url| !url.is_empty())
}

/// Whether `NO_PROXY` names the host of the endpoint.
fn is_excepted(endpoint: &Endpoint) -> bool {
    let listed = ["NO_PROXY", "no_proxy"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    endpoint.uri().host().is_some_and(|host| names_host(&listed, host))
}

/// `a.example, .b.example, *` as curl reads it: a name stands for all below it, too.
fn names_host(listed: &str, host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    listed.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).any(|name| {
        let name = name.trim_start_matches("*.").trim_start_matches('.').trim_matches(['[', ']']);
        name == "*" || host == name || host.strip_suffix(name).is_some_and(|above| above.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::{Client, names_host};
    use crate::{Endpoint, Settings};

    #[test]
    fn hosts_without_proxy_are_named_as_curl_reads_them() {
        for (listed, host, expected) in [
            ("zipkin", "zipkin", true),
            ("a, .example.com", "b.example.com", true),
            ("*.example.com", "b.Example.com", true),
            ("example.com", "example.com", true),
            ("example.com", "badexample.com", false),
            ("*", "x", true),
            ("::1", "[::1]", true),
            ("127.0.0.1", "127.0.0.1", true),
            (" , ", "x", false),
        ] {
            assert_eq!(names_host(listed, host), expected, "{listed} {host}");
        }
    }

    #[test]
    fn a_proxy_that_is_no_url_is_refused() {
        let endpoint = Endpoint::parse("http://h", "").unwrap();
        let mut settings = Settings::default();
        for (text, shown) in [("http://a:hush@", "http://"), ("ftp://hush@h", "ftp://h"), ("", "")] {
            settings.proxy = Some(text.to_owned());
            let error = Client::check(&endpoint, &settings).unwrap_err();
            assert_eq!(error.message(), format!("the proxy `{shown}` is not a URL"));
            assert!(!error.to_string().contains("hush"), "{error}");
        }
        settings.proxy = Some("proxy:3128".to_owned());
        Client::check(&endpoint, &settings).unwrap();
    }
}
