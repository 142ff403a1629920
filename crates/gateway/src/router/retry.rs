//! What an attempt's end means: an answer for the caller, or a reason to try again.

use crate::settings::Retry;
use crate::upstream::UpstreamError;
use http::{HeaderMap, StatusCode};
use std::time::{Duration, SystemTime};

/// The longest pause between two attempts at one target.
const BACKOFF_MAX: Duration = Duration::from_secs(8);
/// A target that asks for longer is left alone for this long only.
const REST_MAX: Duration = Duration::from_secs(60);

/// Why an attempt is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The same target may be tried again.
    pub retries: bool,
    /// It counts against the target's circuit.
    pub counts: bool,
    /// When the target wants to be called again.
    pub retry_after: Option<Duration>,
}

/// Whether an answer with this status is one to try again elsewhere.
pub(crate) fn of_status(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Option<Fault> {
    let limited = status == StatusCode::TOO_MANY_REQUESTS;
    let failed = status == StatusCode::REQUEST_TIMEOUT || status.is_server_error();
    (limited || failed).then(|| Fault {
        retries: true,
        counts: failed,
        retry_after: retry_after(headers, now).map(|wait| wait.min(REST_MAX)),
    })
}

/// What an error on the way means. After a timeout the provider may still be at work: the same
/// one is not asked again.
pub(crate) const fn of_error(error: &UpstreamError) -> Fault {
    let retries = !matches!(error, UpstreamError::Timeout(_));
    Fault { retries, counts: true, retry_after: None }
}

/// The pause before try `number` (from 1) at the same target; `share` is random, 0 to 1.
/// Between half and all of a bound that doubles.
pub(crate) fn backoff(retry: &Retry, number: u32, share: f64) -> Duration {
    let doubled = retry.backoff.saturating_mul(1 << number.saturating_sub(1).min(16));
    doubled.min(BACKOFF_MAX).mul_f64(0.5 + share.clamp(0.0, 1.0) / 2.0)
}

/// `retry-after-ms` (OpenAI, Azure), else `Retry-After` in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let seconds = |text: &str, unit: f64| {
        let number: f64 = text.parse().ok()?;
        Duration::try_from_secs_f64(number * unit).ok()
    };
    if let Some(wait) = text("retry-after-ms").and_then(|text| seconds(text, 0.001)) {
        return Some(wait);
    }
    let after = text("retry-after")?;
    seconds(after, 1.0).or_else(|| {
        let at = httpdate::parse_http_date(after).ok()?;
        Some(at.duration_since(now).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn after(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        of_status(StatusCode::TOO_MANY_REQUESTS, &headers, now).unwrap().retry_after
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms_and_bounded() {
        assert_eq!(after("retry-after", "2"), Some(Duration::from_secs(2)));
        assert_eq!(after("retry-after", " 0.5 "), Some(Duration::from_millis(500)));
        assert_eq!(after("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        let date = after("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT");
        assert_eq!(date, Some(Duration::from_secs(3)));
        let past = after("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT");
        assert_eq!(past, Some(Duration::ZERO));
        assert_eq!(after("retry-after", "999999999999"), Some(REST_MAX));
        for bad in ["-1", "soon", "", "NaN", "inf", "1e400"] {
            assert_eq!(after("retry-after", bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_a_caller_did_wrong_is_an_answer() {
        let fault = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            of_status(status, &HeaderMap::new(), SystemTime::now())
        };
        for status in [200, 301, 400, 401, 403, 404, 409, 413, 422] {
            assert_eq!(fault(status), None, "{status}");
        }
        for status in [408, 429, 500, 502, 503, 504, 529] {
            let fault = fault(status).unwrap();
            assert!(fault.retries, "{status}");
            assert_eq!(fault.counts, status != 429, "{status}");
        }
        assert!(!of_error(&UpstreamError::Timeout(Duration::ZERO)).retries);
    }

    proptest! {
        #[test]
        fn pauses_are_bounded_and_never_shrink(
            base in 0..60_000_u64, number in 1..200_u32, share in 0.0..1.0_f64
        ) {
            let retry = Retry { backoff: Duration::from_millis(base), ..Retry::default() };
            let pause = backoff(&retry, number, share);
            prop_assert!(pause <= BACKOFF_MAX);
            prop_assert!(backoff(&retry, number + 1, share) >= pause);
            prop_assert!(pause >= retry.backoff.min(BACKOFF_MAX).mul_f64(0.5));
        }
    }
}
