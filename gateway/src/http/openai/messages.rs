//! A conversation in OpenAI's shape as what the answering trip takes: the last thing that the user says is the question, what was said
//! before is its history, and what system and developer say are instructions.

use serde_json::{Map, Value};

use super::parameters::unsupported;
use crate::{
    http::{
        error::{ApiError, ErrorCode},
        search::check_question,
    },
    traits::{
        generator::{Speaker, Turn},
        responses::Role,
    },
};

/// Messages of one request.
const MOST_MESSAGES: usize = 1_000;
/// Parts of one message.
const MOST_PARTS: usize = 256;

/// A message as text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Said {
    pub(super) role: Role,
    pub(super) text: String,
}

/// What is asked, and within which conversation.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Conversation {
    pub(super) question: String,
    pub(super) history: Vec<Turn>,
    pub(super) instructions: Option<String>,
}

/// Reads the messages of `param`, with `instructions` before their own.
pub(super) fn conversation(
    param: &str,
    instructions: Option<String>,
    messages: impl IntoIterator<Item = Said>,
) -> Result<Conversation, ApiError> {
    let mut instructions: Vec<String> = instructions.into_iter().filter(|text| !text.trim().is_empty()).collect();
    let mut turns = Vec::new();
    for Said { role, text } in messages {
        match role {
            Role::System | Role::Developer if text.trim().is_empty() => {}
            Role::System | Role::Developer => instructions.push(text),
            Role::User => turns.push(Turn { speaker: Speaker::User, text }),
            Role::Assistant if text.trim().is_empty() => {}
            Role::Assistant => turns.push(Turn { speaker: Speaker::Assistant, text }),
        }
    }
    let Some(Turn { speaker: Speaker::User, text: question }) = turns.pop() else {
        return Err(ApiError::invalid(param, format!("{param} must end with a message of the user: it is what is answered")));
    };
    check_question(param, &question)?;
    let instructions = Some(instructions.join("\n\n")).filter(|text| !text.is_empty());
    Ok(Conversation { question, history: turns, instructions })
}

/// Refuses more messages than one request may have.
pub(super) fn check_number(param: &str, number: usize) -> Result<(), ApiError> {
    if (1..=MOST_MESSAGES).contains(&number) {
        return Ok(());
    }
    Err(ApiError::invalid(param, format!("{param} has {number} items; it must have 1 to {MOST_MESSAGES}")))
}

/// Reads the field `role` of the object at `path`.
pub(super) fn role(path: &str, message: &Map<String, Value>) -> Result<Role, ApiError> {
    let path = format!("{path}.role");
    match message.get("role").and_then(Value::as_str) {
        Some("system") => Ok(Role::System),
        Some("developer") => Ok(Role::Developer),
        Some("user") => Ok(Role::User),
        Some("assistant") => Ok(Role::Assistant),
        Some("tool" | "function") => Err(unsupported(&path, "functions are not called, so there is no answer of one")),
        Some(_) => Err(ApiError::invalid(&path, format!("{path} must be system, developer, user or assistant"))),
        None => Err(ApiError::new(ErrorCode::MissingField, format!("{path} is missing")).of(path)),
    }
}

/// Reads a content: a text, or a list of parts that are texts.
pub(super) fn text(path: &str, content: Option<&Value>) -> Result<String, ApiError> {
    match content {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(clean(text)),
        Some(Value::Array(parts)) if parts.len() <= MOST_PARTS => {
            let texts: Result<Vec<_>, _> =
                parts.iter().enumerate().map(|(place, value)| part(&format!("{path}[{place}]"), value)).collect();
            Ok(texts?.join("\n"))
        }
        Some(Value::Array(_)) => Err(ApiError::invalid(path, format!("{path} has more than {MOST_PARTS} parts"))),
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            Err(ApiError::invalid(path, format!("{path} must be a string or a list of parts")))
        }
    }
}

fn part(path: &str, part: &Value) -> Result<String, ApiError> {
    let field = match part["type"].as_str() {
        Some("text" | "input_text" | "output_text") => "text",
        Some("refusal") => "refusal",
        Some("image_url" | "input_image" | "input_audio" | "file" | "input_file") => {
            return Err(unsupported(path, "only texts are read; upload files to the workspace and ask about them"));
        }
        Some(_) | None => return Err(ApiError::invalid(path, format!("{path} is no part whose type is text"))),
    };
    let text = part[field].as_str();
    text.map(clean).ok_or_else(|| ApiError::invalid(format!("{path}.{field}"), format!("{path}.{field} must be a string")))
}

/// Without U+0000, which no database keeps.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(role: Role, text: &str) -> Said {
        Said { role, text: text.into() }
    }

    #[test]
    fn the_last_turn_of_the_user_is_the_question() {
        let read = conversation(
            "messages",
            Some("Be brief.".into()),
            [
                said(Role::System, "Use English."),
                said(Role::User, "Hello"),
                said(Role::Assistant, "Hi"),
                said(Role::User, "How long?"),
                said(Role::Developer, "No lists."),
            ],
        )
        .unwrap();
        let turn = |speaker, text: &str| Turn { speaker, text: text.into() };
        assert_eq!(read.question, "How long?");
        assert_eq!(read.history, [turn(Speaker::User, "Hello"), turn(Speaker::Assistant, "Hi")]);
        assert_eq!(read.instructions.as_deref(), Some("Be brief.\n\nUse English.\n\nNo lists."));
    }

    #[test]
    fn a_conversation_without_a_question_is_refused() {
        for messages in [vec![], vec![said(Role::User, "a"), said(Role::Assistant, "b")], vec![said(Role::User, " ")]] {
            assert_eq!(conversation("messages", None, messages).unwrap_err().param.as_deref(), Some("messages"));
        }
    }

    #[test]
    fn a_content_is_text_or_parts_of_text() {
        let read = |content: Value| text("messages[0].content", Some(&content));
        assert_eq!(read(json!("a\u{0}b")).unwrap(), "ab");
        assert_eq!(read(json!([{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}])).unwrap(), "a\nb");
        let error = read(json!([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x"}}])).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (ErrorCode::UnsupportedParameter, Some("messages[0].content[1]")));
        assert_eq!(read(json!([{"type": "text"}])).unwrap_err().param.as_deref(), Some("messages[0].content[0].text"));
        assert_eq!(read(json!(7)).unwrap_err().code, ErrorCode::InvalidValue);
    }
}
