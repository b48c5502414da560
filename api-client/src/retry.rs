use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, StatusCode};

use crate::error::{ClientError, ClientErrorKind};

/// Whether a second request does no more than the first.
pub(crate) fn may_repeat(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS].contains(method)
}

/// Whether the next attempt may end otherwise.
pub(crate) fn is_worthwhile(outcome: &Result<reqwest::Response, ClientError>) -> bool {
    use ClientErrorKind as Kind;

    match outcome {
        Ok(response) => matches!(
            response.status(),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
        ),
        Err(error) => matches!(error.kind(), Kind::Dns | Kind::Connect | Kind::Timeout),
    }
}

/// How long to wait after this many attempts.
pub(crate) fn delay(attempts: u32, outcome: &Result<reqwest::Response, ClientError>) -> Duration {
    let asked = outcome.as_ref().ok().and_then(|response| asked_for(response.headers()));
    asked.unwrap_or_else(|| backoff(attempts))
}

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);
const LONGEST_ASKED_FOR: Duration = Duration::from_secs(10);

/// What the server wants, if it says so in seconds.
fn asked_for(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_ASKED_FOR))
}

/// Doubles with each attempt; less up to a half, so that clients which failed
/// together do not come back together.
fn backoff(attempts: u32) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
    // Each `RandomState` has keys of its own, so this is a random number.
    let random = RandomState::new().hash_one(()) % 1024;
    doubled.min(LONGEST).mul_f64(1.0 - random as f64 / 2048.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};

    use super::{asked_for, backoff};

    #[test]
    fn the_wait_doubles_up_to_two_seconds_less_up_to_a_half() {
        for (attempts, longest) in [(1, 50), (2, 100), (3, 200), (7, 2000), (u32::MAX, 2000)] {
            let waits: Vec<u128> = (0..100).map(|_| backoff(attempts).as_millis()).collect();
            assert!(waits.iter().all(|wait| (longest / 2..=longest).contains(wait)), "{attempts}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{attempts}: {waits:?}");
        }
    }

    #[test]
    fn a_server_may_ask_for_ten_seconds_at_most() {
        let asked =
            |value: &'static str| asked_for(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]));
        assert_eq!(asked("3"), Some(Duration::from_secs(3)));
        assert_eq!(asked("3600"), Some(Duration::from_secs(10)));
        assert_eq!(asked("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(asked("-1"), None);
        assert_eq!(asked_for(&HeaderMap::new()), None);
    }
}
