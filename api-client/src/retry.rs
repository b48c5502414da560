use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use reqwest::Method;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::budget::Budget;
use crate::client::Settings;
use crate::error::{ClientError, ClientErrorKind};

/// How requests that may be repeated are sent again. See
/// [`ApiClientBuilder::retry`](crate::ApiClientBuilder::retry).
///
/// ```
/// use std::time::Duration;
/// use spandrel_api_client::{ApiClient, Retry};
///
/// let retry = Retry::new(3)
///     .waits(Duration::from_millis(100), Duration::from_secs(5))
///     .deadline(Duration::from_secs(20));
/// let client = ApiClient::builder().retry(retry).build().unwrap();
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    retries: u32,
    first: Duration,
    longest: Duration,
    longest_asked_for: Duration,
    gives_up_beyond: bool,
    deadline: Option<Duration>,
    budget: Option<(u32, f64)>,
}

impl Retry {
    /// So many retries at most, after the first attempt. The wait is a random part of
    /// 50 ms, which doubles each time up to 2 s; a server may ask for 10 s; the budget
    /// is 100 retries and a fifth of the calls; there is no deadline.
    #[must_use]
    pub const fn new(retries: u32) -> Self {
        Self {
            retries,
            first: Duration::from_millis(50),
            longest: Duration::from_secs(2),
            longest_asked_for: Duration::from_secs(10),
            gives_up_beyond: false,
            deadline: None,
            budget: Some((100, 0.2)),
        }
    }

    /// The longest first wait, and the longest of all. Each wait is a random part of its
    /// limit, so that clients which failed together do not come back together.
    #[must_use]
    pub const fn waits(mut self, first: Duration, longest: Duration) -> Self {
        self.first = first;
        self.longest = longest;
        self
    }

    /// The longest wait that a server may ask for with `Retry-After` or `retry-after-ms`. If it
    /// asks for more, this is the wait.
    #[must_use]
    pub const fn retry_after_cap(mut self, longest: Duration) -> Self {
        self.longest_asked_for = longest;
        self.gives_up_beyond = false;
        self
    }

    /// As [`retry_after_cap`](Self::retry_after_cap), but if a server asks for more, there is no
    /// retry: a limit that lasts an hour is not over after a minute.
    #[must_use]
    pub const fn retry_after_limit(mut self, longest: Duration) -> Self {
        self.longest_asked_for = longest;
        self.gives_up_beyond = true;
        self
    }

    /// How long all attempts may take together with the waits, up to the headers of the
    /// response. An attempt is given up then; a wait that would go beyond is not begun.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// A limit for all calls of the client together, so that a server that is down is
    /// not kept down: `retries` may be used at once, and each call adds `share` of one.
    #[must_use]
    pub const fn budget(mut self, retries: u32, share: f64) -> Self {
        self.budget = Some((retries, share));
        self
    }

    /// No limit for all calls together.
    #[must_use]
    pub const fn no_budget(mut self) -> Self {
        self.budget = None;
        self
    }

    pub(crate) const fn retries(&self) -> u32 {
        self.retries
    }

    pub(crate) const fn total(&self) -> Option<Duration> {
        self.deadline
    }

    pub(crate) fn new_budget(&self) -> Option<Budget> {
        self.budget.map(|(retries, share)| Budget::new(retries, share))
    }

    /// How long to wait before this retry, counted from 1; `None` if the server asks for more than there is patience.
    pub(crate) fn wait(&self, retry: u32, outcome: &Result<reqwest::Response, ClientError>) -> Option<Duration> {
        let asked = outcome.as_ref().ok().and_then(|response| asked_for(response.headers(), SystemTime::now()));
        let asked = asked.unwrap_or_default();
        let is_too_long = self.gives_up_beyond && asked > self.longest_asked_for;
        (!is_too_long).then(|| self.backoff(retry).max(asked.min(self.longest_asked_for)))
    }

    fn backoff(&self, retry: u32) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(retry.saturating_sub(1)));
        // Each `RandomState` has keys of its own, so this is a random number.
        let random = RandomState::new().hash_one(()) % 1024;
        doubled.min(self.longest).mul_f64((1 + random) as f64 / 1024.0)
    }
}

/// Whether a second request does no more than the first.
pub(crate) fn is_idempotent(method: &Method) -> bool {
    matches!(method.as_str(), "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS" | "TRACE" | "QUERY")
}

/// Why the next attempt may end otherwise, as `error.type` has it.
pub(crate) fn reason(outcome: &Result<reqwest::Response, ClientError>, settings: &Settings) -> Option<String> {
    use ClientErrorKind as Kind;

    match outcome {
        Ok(response) => {
            let status = response.status();
            let is_failure = status.is_client_error() || status.is_server_error();
            let said = said_by_server(response.headers()).filter(|_| is_failure);
            said.unwrap_or_else(|| settings.is_transient(status)).then(|| status.as_str().to_owned())
        }
        // `Request`: the connection broke before there was a response.
        Err(error) => matches!(error.kind(), Kind::Dns | Kind::Connect | Kind::Timeout | Kind::Request)
            .then(|| error.kind().as_str().to_owned()),
    }
}

/// Milliseconds, and whether to try again at all: not of HTTP, but of OpenAI, Anthropic, Azure and others.
const RETRY_AFTER_MS: &str = "retry-after-ms";
const SHOULD_RETRY: &str = "x-should-retry";

/// What the server wants: in milliseconds, in seconds or as a date.
pub(crate) fn asked_for(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
    // Parts of a second are no HTTP, and are sent all the same.
    let seconds = |text: &str, of: f64| Duration::try_from_secs_f64(text.parse::<f64>().ok()? / of).ok();
    if let Some(wait) = text(RETRY_AFTER_MS).and_then(|text| seconds(text, 1000.0)) {
        return Some(wait);
    }
    let value = text(RETRY_AFTER.as_str())?;
    match seconds(value, 1.0) {
        Some(wait) => Some(wait),
        None => Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()),
    }
}

/// Whether the server says that the same request may or may not go better the next time.
pub(crate) fn said_by_server(headers: &HeaderMap) -> Option<bool> {
    match headers.get(SHOULD_RETRY)?.as_bytes() {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

    use super::{Retry, asked_for};

    #[test]
    fn the_wait_is_a_random_part_of_a_limit_that_doubles_up_to_two_seconds() {
        for (retry, longest) in [(1, 50), (2, 100), (3, 200), (7, 2000), (u32::MAX, 2000)] {
            let waits: Vec<u128> = (0..200).map(|_| Retry::new(9).backoff(retry).as_millis()).collect();
            assert!(waits.iter().all(|wait| *wait <= longest), "{retry}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait < longest / 2), "{retry}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait > longest / 2), "{retry}: {waits:?}");
        }
    }

    #[test]
    fn a_server_may_ask_in_seconds_or_by_date() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2026 07:28:00 GMT").unwrap();
        let asked = |value: &'static str| {
            asked_for(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]), now)
        };
        assert_eq!(asked("3"), Some(Duration::from_secs(3)));
        assert_eq!(asked("3600"), Some(Duration::from_secs(3600)));
        assert_eq!(asked("Wed, 21 Oct 2026 07:28:05 GMT"), Some(Duration::from_secs(5)));
        assert_eq!(asked("Wed, 21 Oct 2026 07:27:00 GMT"), Some(Duration::ZERO), "it is past");
        assert_eq!(asked("-1"), None);
        assert_eq!(asked("soon"), None);
        assert_eq!(asked("1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(asked("inf"), None);
        assert_eq!(asked_for(&HeaderMap::new(), SystemTime::now()), None);
        let both = |ms: &'static str| {
            let headers = [(RETRY_AFTER.as_str(), "3"), ("retry-after-ms", ms)];
            let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            asked_for(&HeaderMap::from_iter(headers), now)
        };
        assert_eq!((both("250"), both("soon")), (Some(Duration::from_millis(250)), Some(Duration::from_secs(3))));
    }

    #[test]
    fn the_longest_wait_is_the_cap() {
        let response = |value: &'static str| {
            let response = http::Response::builder().status(503).header(RETRY_AFTER, value).body("").unwrap();
            Ok(reqwest::Response::from(response))
        };
        let retry = Retry::new(1).waits(Duration::from_millis(1), Duration::from_millis(1));
        let wait = |retry: &Retry, asked: &'static str| retry.wait(1, &response(asked)).map(|wait| wait.as_secs());
        assert_eq!((wait(&retry, "3"), wait(&retry, "3600")), (Some(3), Some(10)));
        let patient = retry.clone().retry_after_cap(Duration::from_secs(60));
        assert_eq!(wait(&patient, "3600"), Some(60));
        let sensible = retry.retry_after_limit(Duration::from_secs(60));
        assert_eq!((wait(&sensible, "60"), wait(&sensible, "61")), (Some(60), None));
    }
}
