//! The conversation that a response goes on from.

use super::{
    draft::Draft,
    request::{Asked, Truncation, unknown_previous},
};
use crate::{
    answer::AnswerRequest,
    http::{
        error::ApiError,
        ids::ResponseId,
        openai::messages::{Conversation, Said, conversation},
        state::ApiState,
    },
    traits::{
        responses::{Exchange, Reach, Role},
        search::WorkspaceId,
    },
};

/// How far back a conversation reaches.
const REACH: Reach = Reach { exchanges: 100, bytes: 512 * 1024 };

/// What is asked, within the conversation before it.
pub(super) async fn question(
    state: &ApiState,
    workspace: WorkspaceId,
    asked: Asked,
    draft: &Draft,
) -> Result<AnswerRequest, ApiError> {
    let mut said = match draft.view.previous_response_id {
        None => Vec::new(),
        Some(ResponseId(previous)) => {
            let exchanges = state.parts.responses.conversation(workspace, previous, REACH).await?;
            if exchanges.is_empty() {
                return Err(unknown_previous());
            }
            newest(exchanges)
        }
    };
    said.extend(draft.input.iter().map(|message| Said { role: message.role, text: message.text.clone() }));
    let Asked { instructions, temperature, top_p, max_tokens, truncation } = asked;
    let Conversation { question, history, instructions } = conversation("input", instructions, said)?;
    let whole_history = truncation == Truncation::Disabled;
    let request = AnswerRequest {
        question,
        history,
        instructions,
        temperature,
        top_p,
        max_tokens,
        whole_history,
        ..AnswerRequest::default()
    };
    Ok(request)
}

/// What was said, oldest first, as far back as the bytes reach.
fn newest(exchanges: Vec<Exchange>) -> Vec<Said> {
    let mut said = Vec::new();
    for Exchange { input, answer } in exchanges {
        said.extend(input.into_iter().map(|message| Said { role: message.role, text: message.text }));
        said.push(Said { role: Role::Assistant, text: answer });
    }
    let mut bytes = 0;
    let kept = said.iter().rev().take_while(|message| {
        bytes += message.text.len();
        bytes <= REACH.bytes as usize
    });
    let kept = kept.count();
    said.split_off(said.len() - kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_ago_is_left_out() {
        let exchange = |answer: &str| Exchange { input: Vec::new(), answer: answer.into() };
        let said = newest(vec![exchange(&"a".repeat(REACH.bytes as usize)), exchange("b"), exchange("c")]);
        assert_eq!(said.iter().map(|said| said.text.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    }
}
