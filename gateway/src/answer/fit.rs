//! What the model is given: rules, conversation, passages and question, as much of each as finds room. No I/O.

use super::{
    Answerer,
    budget::{Budget, Means, budget},
    prompt::{self, Prompt},
    request::AnswerRequest,
};
use crate::traits::{generator::Turn, search::Match};

/// What a model is given whatever is found.
pub(super) struct Fixed {
    pub(super) system: String,
    /// Of the instructions, the template and the question.
    pub(super) tokens: usize,
    pub(super) budget: Budget,
}

/// What a model is given.
pub(super) struct Fitted {
    pub(super) system: String,
    pub(super) history: Vec<Turn>,
    pub(super) filled: Prompt,
    pub(super) max_tokens: u32,
    /// Of all that it reads.
    pub(super) tokens: u64,
}

impl Answerer {
    /// What the model is given in any case, and what is left for conversation, passages and answer.
    pub(super) fn fixed(&self, request: &AnswerRequest) -> Fixed {
        let settings = &self.retriever.generation;
        let tokenizer = self.retriever.embedder.tokenizer();
        let system = prompt::system(request.instructions.as_deref());
        let asked = [prompt::beyond_the_rules(&system), request.question.trim()];
        let tokens = self.frame_tokens + asked.map(|text| tokenizer.count(text)).iter().sum::<usize>();
        let means = Means {
            window: settings.window_tokens(self.generator.model_name()),
            context: settings.context_tokens,
            answer: request.max_tokens.unwrap_or(settings.max_tokens),
            fixed: tokens,
        };
        Fixed { system, tokens, budget: budget(means, &request.history, tokenizer) }
    }

    /// What the model is given: as much of the conversation and of the passages as finds room.
    pub(super) fn fit(&self, matches: &[Match], request: &AnswerRequest) -> Fitted {
        let Fixed { system, tokens: fixed, budget } = self.fixed(request);
        let Budget { history, history_tokens, history_bound: _, context_tokens, max_tokens } = budget;
        let (template, asked) = (&self.retriever.generation.prompt_template, request.question.trim());
        let filled = tracing::debug_span!("prompt", stage = "prompt")
            .in_scope(|| prompt::assemble(template, asked, matches, context_tokens, self.retriever.embedder.tokenizer()));
        let tokens = (fixed + history_tokens + filled.tokens) as u64;
        Fitted { system, history, filled, max_tokens, tokens }
    }
}
