use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, StatusCode};

use crate::budget::Budget;
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

    /// The longest wait that a server may ask for with `Retry-After`. If it asks for
    /// more, this is the wait.
    #[must_use]
    pub const fn retry_after_cap(mut self, longest: Duration) -> Self {
        self.longest_asked_for = longest;
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

    /// How long to wait before this retry, counted from 1.
    pub(crate) fn wait(&self, retry: u32, outcome: &Result<reqwest::Response, ClientError>) -> Duration {
        let asked = outcome.as_ref().ok().and_then(|response| asked_for(response.headers(), SystemTime::now()));
        self.backoff(retry).max(asked.unwrap_or_default().min(self.longest_asked_for))
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
pub(crate) fn reason(outcome: &Result<reqwest::Response, ClientError>) -> Option<String> {
    use ClientErrorKind as Kind;

    match outcome {
        Ok(response) => matches!(
            response.status(),
            StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        )
        .then(|| response.status().as_str().to_owned()),
        // `Request`: the connection broke before there was a response.
        Err(error) => matches!(error.kind(), Kind::Dns | Kind::Connect | Kind::Timeout | Kind::Request)
            .then(|| error.kind().as_str().to_owned()),
    }
}

/// What the server wants, in seconds or as a date.
fn asked_for(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};

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
        assert_eq!(asked_for(&HeaderMap::new(), SystemTime::now()), None);
    }

    #[test]
    fn the_longest_wait_is_the_cap() {
        let response = |value: &'static str| {
            let response = http::Response::builder().status(503).header(RETRY_AFTER, value).body("").unwrap();
            Ok(reqwest::Response::from(response))
        };
        let retry = Retry::new(1).waits(Duration::from_millis(1), Duration::from_millis(1));
        assert_eq!(retry.wait(1, &response("3")), Duration::from_secs(3));
        assert_eq!(retry.wait(1, &response("3600")), Duration::from_secs(10));
        assert_eq!(retry.retry_after_cap(Duration::from_secs(60)).wait(1, &response("3600")), Duration::from_secs(60));
    }
}
