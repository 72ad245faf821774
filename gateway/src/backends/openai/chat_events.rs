//! The chunks of a chat completion, as OpenAI documents them and as others send them.
//! <https://platform.openai.com/docs/api-reference/chat-streaming>, <https://openrouter.ai/docs/api-reference/streaming>

use serde::Deserialize;
use serde_json::Value;

use crate::{
    backends::http::{
        answer::{Reading, Step, malformed, refused},
        judge::Refusal,
    },
    traits::generator::{Finish, Usage},
};

/// The last event, which holds no chunk.
const DONE: &str = "[DONE]";

/// What has been read of one completion.
#[derive(Debug, Default)]
pub(super) struct ChatEvents {
    usage: Usage,
    finish: Option<Finish>,
}

#[derive(Deserialize)]
struct Chunk {
    /// Empty in the chunk that brings the usage, and in the one where Azure says what its filter thinks of the prompt.
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<ChunkUsage>,
    #[serde(default)]
    error: Option<Value>,
    /// `error` where vLLM has its error's text beside it.
    #[serde(default)]
    object: Option<String>,
    #[serde(default)]
    code: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Option<Message>,
    /// Of a server that does not stream: the whole.
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
}

#[derive(Deserialize)]
struct ChunkUsage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
}

impl Reading for ChatEvents {
    fn read(&mut self, event: &str) -> Result<Step, Refusal> {
        if event.trim() == DONE {
            self.finish.get_or_insert_default();
            return Ok(Step::Done);
        }
        let chunk: Chunk = serde_json::from_str(event).map_err(|error| malformed(&error))?;
        if let Some(error) = &chunk.error {
            return Err(refused(status(error.get("code")), event));
        }
        if chunk.object.as_deref() == Some("error") {
            return Err(refused(status(chunk.code.as_ref()), event));
        }
        if let Some(ChunkUsage { prompt_tokens, completion_tokens }) = chunk.usage {
            self.usage = Usage {
                prompt_tokens: prompt_tokens.unwrap_or_default(),
                completion_tokens: completion_tokens.unwrap_or_default(),
            };
        }
        let Some(choice) = chunk.choices.into_iter().flatten().next() else { return Ok(Step::Nothing) };
        let is_whole = choice.message.is_some();
        if let Some(reason) = choice.finish_reason {
            self.finish = Some(match reason.as_str() {
                // What a filter cuts off is as little complete.
                "length" | "content_filter" => Finish::Length,
                _ => Finish::Stop,
            });
        } else if is_whole {
            self.finish = Some(Finish::Stop);
        }
        let text = choice.delta.or(choice.message).and_then(|message| message.content).unwrap_or_default();
        Ok(if text.is_empty() { Step::Nothing } else { Step::Text(text) })
    }

    fn ending(&self) -> Option<(Usage, Finish)> {
        Some((self.usage, self.finish?))
    }
}

/// The status that an error in a stream would have had as a reply.
fn status(code: Option<&Value>) -> u16 {
    match code {
        Some(Value::Number(number)) => number.as_u64().and_then(|number| u16::try_from(number).ok()).unwrap_or(500),
        Some(Value::String(text)) => match text.as_str() {
            "rate_limit_exceeded" | "insufficient_quota" => 429,
            "invalid_api_key" => 401,
            "content_filter" | "context_length_exceeded" => 400,
            text => text.parse().unwrap_or(500),
        },
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(events: &[&str]) -> (Vec<Step>, Option<(Usage, Finish)>) {
        let mut reading = ChatEvents::default();
        let steps = events.iter().map(|event| reading.read(event).unwrap()).collect();
        (steps, reading.ending())
    }

    #[test]
    fn text_usage_and_the_reason_to_stop_are_read() {
        let events = [
            r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#,
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"It is"},"finish_reason":null}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#,
            "[DONE]",
        ];
        let (steps, ending) = steps(&events);
        let text = Step::Text("It is".into());
        assert_eq!(steps, [Step::Nothing, Step::Nothing, text, Step::Nothing, Step::Nothing, Step::Done]);
        assert_eq!(ending, Some((Usage { prompt_tokens: 5, completion_tokens: 2 }, Finish::Length)));
    }

    #[test]
    fn a_stream_that_only_stops_has_broken_off() {
        assert_eq!(steps(&[r#"{"choices":[{"delta":{"content":"It"}}]}"#]).1, None);
    }

    #[test]
    fn errors_in_the_stream_are_judged_as_replies_are() {
        let cases = [
            (r#"{"error":{"code":429,"message":"slow"},"choices":[{"finish_reason":"error"}]}"#, "RateLimited"),
            (r#"{"error":{"code":"insufficient_quota","message":"no money"}}"#, "Denied { status: 429"),
            (r#"{"error":{"code":502,"message":"down"}}"#, "Failing { status: 502"),
            (r#"{"error":{"message":"boom","type":"server_error","code":null}}"#, "Failing { status: 500"),
            (r#"{"object":"error","message":"too long","code":400}"#, "Denied { status: 400"),
            ("{", "Malformed"),
        ];
        for (event, expected) in cases {
            let refusal = format!("{:?}", ChatEvents::default().read(event).unwrap_err());
            assert!(refusal.starts_with(expected), "{event}: {refusal}");
        }
    }
}
