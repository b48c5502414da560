use std::fmt;
use std::sync::Arc;

use http::header::{self, HeaderName};
use spandrel::Trust;
use tower_layer::Layer;

use crate::service::TraceService;

/// Gives each request a span of kind server. Clones are cheap.
///
/// ```
/// use spandrel_tower::TraceLayer;
///
/// let layer = TraceLayer::new().skip(["/health", "/internal/*"]).trace_id_header("x-trace-id");
/// ```
#[derive(Clone)]
pub struct TraceLayer {
    settings: Arc<Settings>,
}

/// What each request needs to know of its layer.
#[derive(Clone)]
pub(crate) struct Settings {
    /// As the configuration says, unless set.
    pub(crate) trust: Option<Trust>,
    pub(crate) trusts_forwarded: bool,
    skipped: Vec<String>,
    pub(crate) session_header: Option<HeaderName>,
    pub(crate) user_header: Option<HeaderName>,
    pub(crate) trace_id_header: Option<HeaderName>,
    pub(crate) request_headers: Vec<HeaderName>,
    pub(crate) response_headers: Vec<HeaderName>,
}

impl TraceLayer {
    /// What most services need: all requests, `x-session-id` as `session.id`, no
    /// other headers, trust as configured.
    #[must_use]
    pub fn new() -> Self {
        let settings = Settings {
            trust: None,
            trusts_forwarded: false,
            skipped: Vec::new(),
            session_header: Some(HeaderName::from_static("x-session-id")),
            user_header: None,
            trace_id_header: None,
            request_headers: Vec::new(),
            response_headers: Vec::new(),
        };
        Self { settings: Arc::new(settings) }
    }

    /// What the trace of the caller counts for; what the setting `trust` says unless set here.
    #[must_use]
    pub fn trust(self, trust: Trust) -> Self {
        self.with(|settings| settings.trust = Some(trust))
    }

    /// Paths without spans and metrics: exact ones, or all that begin with what stands before a
    /// `*` at the end. Contexts that come with such a request are not read.
    #[must_use]
    pub fn skip(self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(|settings| settings.skipped.extend(paths.into_iter().map(Into::into)))
    }

    /// The header that becomes `session.id` on all spans of the request; `x-session-id`
    /// unless set, and none with `None`.
    ///
    /// A value counts if it stands there once, has at most 256 bytes and only visible ASCII.
    ///
    /// # Panics
    ///
    /// If it is no name of a header; that goes for all methods that take one.
    #[must_use]
    pub fn session_header<'a>(self, name: impl Into<Option<&'a str>>) -> Self {
        self.with(|settings| settings.session_header = name.into().map(parse_name))
    }

    /// The header that becomes `user.id` on all spans of the request; none unless set.
    ///
    /// For one that a proxy in front sets, and clients cannot. The values are limited as
    /// those of [`session_header`](Self::session_header).
    #[must_use]
    pub fn user_header(self, name: &str) -> Self {
        self.with(|settings| settings.user_header = Some(parse_name(name)))
    }

    /// The header of responses that has the trace id, in hex; none unless set.
    #[must_use]
    pub fn trace_id_header(self, name: &str) -> Self {
        self.with(|settings| settings.trace_id_header = Some(parse_name(name)))
    }

    /// Headers of requests that become attributes, `http.request.header.<name>`.
    ///
    /// The values of `authorization`, `proxy-authorization`, `cookie` and `set-cookie` are
    /// [`REDACTED`](spandrel::REDACTED), whatever is configured.
    #[must_use]
    pub fn request_headers<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.with(|settings| settings.request_headers.extend(names.into_iter().map(parse_name)))
    }

    /// Headers of responses that become attributes, `http.response.header.<name>`;
    /// redacted as those of requests.
    #[must_use]
    pub fn response_headers<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.with(|settings| settings.response_headers.extend(names.into_iter().map(parse_name)))
    }

    /// Whether `client.address` is what `Forwarded` or `X-Forwarded-For` say; no unless set.
    ///
    /// Only for services behind a proxy that overwrites these headers: otherwise anybody
    /// can be anybody.
    #[must_use]
    pub fn trust_forwarded(self, trusts: bool) -> Self {
        self.with(|settings| settings.trusts_forwarded = trusts)
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl Settings {
    pub(crate) fn skips(&self, path: &str) -> bool {
        self.skipped.iter().any(|skipped| match skipped.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == skipped,
        })
    }
}

/// Whether the values of a header are never to be seen.
pub(crate) fn is_secret(name: &HeaderName) -> bool {
    [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE, header::SET_COOKIE].contains(name)
}

fn parse_name(name: &str) -> HeaderName {
    match HeaderName::try_from(name) {
        Ok(name) => name,
        Err(_) => panic!("{name:?} is no name of a header; it may have letters, digits and `-`"),
    }
}

impl Default for TraceLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = TraceService<S>;

    fn layer(&self, inner: S) -> TraceService<S> {
        TraceService::new(inner, Arc::clone(&self.settings))
    }
}

impl fmt::Debug for TraceLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceLayer").field("trust", &self.settings.trust).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::TraceLayer;

    #[test]
    fn paths_are_skipped_by_name_and_by_beginning() {
        let settings = TraceLayer::new().skip(["/health", "/internal/*"]).skip(["/ready".to_owned()]).settings;
        for path in ["/health", "/internal/", "/internal/a/b", "/ready"] {
            assert!(settings.skips(path), "{path}");
        }
        for path in ["/", "/health/", "/healthy", "/internal", "/a/internal/b", ""] {
            assert!(!settings.skips(path), "{path}");
        }
    }

    #[test]
    #[should_panic(expected = "\"x session\" is no name of a header")]
    fn what_is_no_header_is_found_at_start_up() {
        let _ = TraceLayer::new().session_header("x session");
    }
}
