//! The conversation that a response goes on from.

use super::{
    draft::Draft,
    request::{Asked, Truncation, unknown_previous},
};
use crate::{
    answer::AnswerRequest,
    http::{
        error::{ApiError, ErrorCode},
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
    let Asked { instructions, temperature, top_p, max_tokens, truncation } = asked;
    let whole_history = truncation == Truncation::Disabled;
    let mut said = match draft.view.previous_response_id {
        None => Vec::new(),
        Some(ResponseId(previous)) => {
            let exchanges = state.parts.responses.conversation(workspace, previous, REACH).await?;
            if exchanges.is_empty() {
                return Err(unknown_previous());
            }
            let Newest { said, whole } = newest(exchanges);
            if whole_history && !whole {
                return Err(out_of_reach());
            }
            said
        }
    };
    said.extend(draft.input.iter().map(|message| Said { role: message.role, text: message.text.clone() }));
    let Conversation { question, history, instructions } = conversation("input", instructions, said)?;
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

fn out_of_reach() -> ApiError {
    let message = format!(
        "the conversation goes further back than {} responses or {} KiB, or an earlier response of it is gone; send what it needs as \
         input, or truncation: auto",
        REACH.exchanges,
        REACH.bytes >> 10
    );
    ApiError::new(ErrorCode::ContextLengthExceeded, message).of("previous_response_id")
}

/// What was said, oldest first, as far back as the bytes reach.
struct Newest {
    said: Vec<Said>,
    /// Whether that is back to the conversation's beginning.
    whole: bool,
}

fn newest(exchanges: Vec<Exchange>) -> Newest {
    let begins = exchanges.first().is_none_or(|first| first.previous.is_none());
    let mut said = Vec::new();
    for Exchange { previous: _, input, answer } in exchanges {
        said.extend(input.into_iter().map(|message| Said { role: message.role, text: message.text }));
        said.push(Said { role: Role::Assistant, text: answer });
    }
    let mut bytes = 0;
    let kept = said.iter().rev().take_while(|message| {
        bytes += message.text.len();
        bytes <= REACH.bytes as usize
    });
    let left_out = said.len() - kept.count();
    Newest { said: said.split_off(left_out), whole: begins && left_out == 0 }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn exchange(previous: Option<Uuid>, answer: &str) -> Exchange {
        Exchange { previous, input: Vec::new(), answer: answer.into() }
    }

    #[test]
    fn what_is_too_long_ago_is_left_out() {
        let long = exchange(None, &"a".repeat(REACH.bytes as usize));
        let Newest { said, whole } = newest(vec![long, exchange(Some(Uuid::nil()), "b"), exchange(Some(Uuid::nil()), "c")]);
        assert_eq!(said.iter().map(|said| said.text.as_str()).collect::<Vec<_>>(), ["b", "c"]);
        assert!(!whole);
    }

    #[test]
    fn a_conversation_is_whole_back_to_the_response_that_went_on_from_none() {
        let last = || exchange(Some(Uuid::nil()), "b");
        assert!(newest(vec![exchange(None, "a"), last()]).whole);
        assert!(!newest(vec![last()]).whole);
    }
}
