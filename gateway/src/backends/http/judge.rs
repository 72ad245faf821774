//! What a reply of a model server means: a pure function of status, Retry-After and body.

use std::time::Duration;

use serde::Deserialize;

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
}

impl Refusal {
    pub(super) fn transport(error: reqwest::Error) -> Self {
        // The address may carry a key in its query.
        let error = error.without_url();
        if error.is_timeout() { Self::TimedOut } else { Self::Transport(Box::new(error)) }
    }

    /// Whether the same request may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::TimedOut | Self::Transport(_) | Self::Failing { .. } => true,
            Self::Unauthorized | Self::Denied { .. } | Self::TooLarge { .. } => false,
        }
    }

    /// How long the server asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Failing { retry_after, .. } => *retry_after,
            Self::Unauthorized | Self::TimedOut | Self::Transport(_) | Self::Denied { .. } | Self::TooLarge { .. } => None,
        }
    }
}

/// Judges a reply.
pub fn judge(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Verdict {
    let error = || serde_json::from_slice::<Envelope>(body).map(|envelope| envelope.error).ok();
    let message = || message(body);
    Verdict::Refused(match status {
        200..=299 => return Verdict::Taken,
        401 | 403 => Refusal::Unauthorized,
        // OpenAI says 429 also when the account has no money left, which no waiting mends.
        429 if error().is_some_and(|error| error.code() == Some("insufficient_quota")) => {
            Refusal::Denied { status, message: message() }
        }
        429 => Refusal::RateLimited { retry_after },
        408 | 409 | 425 | 500..=599 => Refusal::Failing { status, message: message(), retry_after },
        _ => Refusal::Denied { status, message: message() },
    })
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
        code: Option<serde_json::Value>,
    },
    Text(String),
}

impl ErrorBody {
    fn code(&self) -> Option<&str> {
        match self {
            Self::Object { code, .. } => code.as_ref().and_then(serde_json::Value::as_str),
            Self::Text(_) => None,
        }
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
            (302, "", r#"Refused(Denied { status: 302, message: "no message" })"#),
        ];
        for (status, body, expected) in cases {
            assert_eq!(format!("{:?}", judge(*status, wait, body.as_bytes())), *expected);
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let long = message("é".repeat(2_000).as_bytes());
        assert_eq!(long.chars().count(), MESSAGE_CHARS + 1);
    }
}
