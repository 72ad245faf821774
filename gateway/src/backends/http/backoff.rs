//! When to try again: exponential waits with jitter, or what the server asks for. Pure; chance comes in as an argument.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::judge::Refusal;

/// The longest wait between two tries, also when a server asks for more, where nobody else can be asked.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The waits of one call.
#[derive(Debug)]
pub struct Backoff {
    left: u32,
    delay: Duration,
    longest: Duration,
}

impl Backoff {
    pub fn new(retries: u32, first_delay: Duration, longest: Duration) -> Self {
        Self { left: retries, delay: first_delay, longest }
    }

    /// How long to wait before the next try; `None`: give up. `chance` is drawn from 0..1: the wait is half certain, half random, so
    /// that callers who were refused together do not come back together.
    pub fn next(&mut self, refusal: &Refusal, chance: f64) -> Option<Duration> {
        if self.left == 0 || !refusal.may_pass() {
            return None;
        }
        self.left -= 1;
        let drawn = self.delay.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0));
        self.delay = self.delay.saturating_mul(2).min(self.longest);
        match refusal.retry_after() {
            // A server that asks for more patience than we have will not be asked again now.
            Some(asked) if asked > self.longest => None,
            Some(asked) => Some(asked.max(drawn)),
            None => Some(drawn.min(self.longest)),
        }
    }
}

/// What a server asks for in its headers: `retry-after-ms`, which OpenAI and Azure send, wins, since it says it more closely.
pub fn asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let closely = text("retry-after-ms").and_then(|value| value.trim().parse().ok()).map(Duration::from_millis);
    closely.or_else(|| text(RETRY_AFTER.as_str()).and_then(|value| retry_after(value, now)))
}

/// The value of a Retry-After header: seconds, or a date.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_and_end() {
        let mut backoff = Backoff::new(3, SECOND, LONGEST_WAIT);
        let waits: Vec<_> = std::iter::from_fn(|| backoff.next(&Refusal::TimedOut, 1.0)).collect();
        assert_eq!(waits, [SECOND, 2 * SECOND, 4 * SECOND]);
        assert_eq!(Backoff::new(3, SECOND, LONGEST_WAIT).next(&Refusal::TimedOut, 0.0), Some(SECOND / 2));
    }

    #[test]
    fn what_no_wait_mends_is_not_tried_again() {
        assert_eq!(Backoff::new(3, SECOND, LONGEST_WAIT).next(&Refusal::Unauthorized, 1.0), None);
    }

    #[test]
    fn the_servers_wish_is_followed_within_reason() {
        let asks = |seconds| Refusal::RateLimited { retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(Backoff::new(1, SECOND, LONGEST_WAIT).next(&asks(20), 1.0), Some(20 * SECOND));
        assert_eq!(Backoff::new(1, SECOND, LONGEST_WAIT).next(&asks(0), 1.0), Some(SECOND));
        assert_eq!(Backoff::new(1, SECOND, LONGEST_WAIT).next(&asks(3_600), 1.0), None);
    }

    #[test]
    fn who_has_somebody_else_to_ask_waits_less() {
        let asks = Refusal::RateLimited { retry_after: Some(10 * SECOND) };
        assert_eq!(Backoff::new(1, SECOND, 5 * SECOND).next(&asks, 1.0), None);
    }

    #[test]
    fn both_forms_of_the_header_are_read() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        assert_eq!(retry_after(" 12 ", now), Some(12 * SECOND));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:30 GMT", now), Some(30 * SECOND));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:27:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
