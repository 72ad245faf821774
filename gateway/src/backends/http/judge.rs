//! What a reply of a model server means: a pure function of status, Retry-After and body.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// Characters of a server's own message that are passed on.
const MESSAGE_CHARS: usize = 300;

/// A judgement.
#[derive(Debug)]
pub enum Verdict {
    Taken,
    Refused(Refusal),
}

/// Why a try gave nothing.
#[derive(Debug)]
pub enum Refusal {
    /// The key is missing, wrong or not allowed to do this.
    Unauthorized,
    RateLimited {
        retry_after: Option<Duration>,
    },
    TimedOut,
    /// The connection did not come about or broke.
    Transport(Box<dyn std::error::Error + Send + Sync>),
    /// The server is in trouble; the same request may succeed later.
    Failing {
        status: u16,
        message: String,
        retry_after: Option<Duration>,
    },
    /// The same request will be refused again.
    Denied {
        status: u16,
        message: String,
    },
    TooLarge {
        limit: usize,
    },
    /// A stream ended before the answer did.
    BrokenOff,
    /// The server said something that its documentation does not know.
    Malformed(String),
    /// The answer ended without a word of text.
    Wordless(&'static str),
}

impl Refusal {
    pub(super) fn transport(error: reqwest::Error) -> Self {
        // The address may carry a key in its query.
        let error = error.without_url();
        if error.is_timeout() { Self::TimedOut } else { Self::Transport(Box::new(error)) }
    }

    /// What kind of failure it is, for traces.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::RateLimited { .. } => "rate_limited",
            Self::TimedOut => "timed_out",
            Self::Transport(_) => "unreachable",
            Self::Failing { .. } | Self::Denied { .. } => "refused",
            Self::TooLarge { .. } => "too_large",
            Self::BrokenOff => "broken_off",
            Self::Malformed(_) => "malformed",
            Self::Wordless(_) => "wordless",
        }
    }

    /// Whether the same request may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::TimedOut | Self::Transport(_) | Self::Failing { .. } | Self::BrokenOff => true,
            Self::Unauthorized | Self::Denied { .. } | Self::TooLarge { .. } | Self::Malformed(_) | Self::Wordless(_) => false,
        }
    }

    /// How long the server asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Failing { retry_after, .. } => *retry_after,
            Self::Unauthorized
            | Self::TimedOut
            | Self::Transport(_)
            | Self::Denied { .. }
            | Self::TooLarge { .. }
            | Self::BrokenOff
            | Self::Malformed(_)
            | Self::Wordless(_) => None,
        }
    }
}

/// Judges a reply.
pub fn judge(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Verdict {
    match status {
        200..=299 => Verdict::Taken,
        _ => Verdict::Refused(refused(status, retry_after, body)),
    }
}

/// What an error means, in a reply of this status or in a stream as one of it.
pub fn refused(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Refusal {
    let error = || serde_json::from_slice::<Envelope>(body).map(|envelope| envelope.error).ok();
    let message = || message(body);
    match status {
        // OpenRouter says 403 also of a text that a model's owner does not want, and gives the reasons.
        403 if error().is_some_and(|error| error.is_moderation()) => Refusal::Denied { status, message: message() },
        // Gemini says 400 of a key that it does not know.
        400 if error().is_some_and(|error| error.detail("reason") == Some("API_KEY_INVALID")) => Refusal::Unauthorized,
        401 | 403 => Refusal::Unauthorized,
        // OpenAI says 429 also when the account has no money left, which no waiting mends.
        429 if error().is_some_and(|error| error.code() == Some("insufficient_quota")) => {
            Refusal::Denied { status, message: message() }
        }
        // Gemini asks for patience in the body.
        429 => Refusal::RateLimited { retry_after: retry_after.or_else(|| error()?.retry_delay()) },
        408 | 409 | 425 | 500..=599 => Refusal::Failing { status, message: message(), retry_after },
        _ => Refusal::Denied { status, message: message() },
    }
}

#[derive(Deserialize)]
struct Envelope {
    error: ErrorBody,
}

/// OpenAI's object, or the plain text that some servers send in its place.
#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorBody {
    Object {
        #[serde(default)]
        message: String,
        #[serde(default)]
        code: Option<Value>,
        /// Google's.
        #[serde(default)]
        details: Value,
        /// OpenRouter's.
        #[serde(default)]
        metadata: Value,
    },
    Text(String),
}

impl ErrorBody {
    fn code(&self) -> Option<&str> {
        match self {
            Self::Object { code, .. } => code.as_ref().and_then(Value::as_str),
            Self::Text(_) => None,
        }
    }

    fn is_moderation(&self) -> bool {
        matches!(self, Self::Object { metadata, .. } if metadata.get("reasons").is_some())
    }

    /// A text of the first detail that has it.
    fn detail(&self, name: &str) -> Option<&str> {
        let Self::Object { details, .. } = self else { return None };
        details.as_array()?.iter().find_map(|detail| detail.get(name)?.as_str())
    }

    /// As in `34.5s`.
    fn retry_delay(&self) -> Option<Duration> {
        let seconds = self.detail("retryDelay")?.strip_suffix('s')?.parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// What the server says, short and on one line.
fn message(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Envelope>(body).map(|envelope| envelope.error) {
        Ok(ErrorBody::Object { message, .. }) => message,
        Ok(ErrorBody::Text(text)) => text,
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(4 * MESSAGE_CHARS)]).into_owned(),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.is_empty() => "no message".to_owned(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_has_its_meaning() {
        let wait = Some(Duration::from_secs(7));
        let cases: &[(u16, &str, &str)] = &[
            (200, "{}", "Taken"),
            (401, r#"{"error":{"message":"Incorrect API key"}}"#, "Refused(Unauthorized)"),
            (403, "", "Refused(Unauthorized)"),
            (429, "slow down", "Refused(RateLimited { retry_after: Some(7s) })"),
            (
                429,
                r#"{"error":{"message":"no money","code":"insufficient_quota"}}"#,
                r#"Refused(Denied { status: 429, message: "no money" })"#,
            ),
            (503, "", r#"Refused(Failing { status: 503, message: "no message", retry_after: Some(7s) })"#),
            (
                500,
                r#"{"error":"boom\n twice"}"#,
                r#"Refused(Failing { status: 500, message: "boom twice", retry_after: Some(7s) })"#,
            ),
            (400, r#"{"error":{"message":"too long","code":400}}"#, r#"Refused(Denied { status: 400, message: "too long" })"#),
            (404, "<html>", r#"Refused(Denied { status: 404, message: "<html>" })"#),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                r#"Refused(Failing { status: 529, message: "Overloaded", retry_after: Some(7s) })"#,
            ),
            (
                403,
                r#"{"error":{"code":403,"message":"flagged","metadata":{"reasons":["violence"]}}}"#,
                r#"Refused(Denied { status: 403, message: "flagged" })"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"API key not valid.","details":[{"reason":"API_KEY_INVALID"}]}}"#,
                "Refused(Unauthorized)",
            ),
            (302, "", r#"Refused(Denied { status: 302, message: "no message" })"#),
        ];
        for (status, body, expected) in cases {
            assert_eq!(format!("{:?}", judge(*status, wait, body.as_bytes())), *expected);
        }
    }

    #[test]
    fn a_wait_that_is_asked_for_in_the_body_is_found() {
        let body = br#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"retryDelay":"34.5s"}]}}"#;
        assert_eq!(refused(429, None, body).retry_after(), Some(Duration::from_millis(34_500)));
        assert_eq!(refused(429, Some(Duration::from_secs(1)), body).retry_after(), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_long_message_is_cut() {
        let long = message("é".repeat(2_000).as_bytes());
        assert_eq!(long.chars().count(), MESSAGE_CHARS + 1);
    }
}
