//! The model that writes answers.

use serde::{Deserialize, Serialize};

use super::OpenAiCompatible;
use crate::Seconds;

/// The model that writes answers, and its parameters.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Generation {
    pub provider: GenerationProvider,
    /// 0 to 2; low values keep to the facts.
    pub temperature: f32,
    pub max_tokens: u32,
    pub top_p: f32,
    pub timeout_seconds: Seconds,
    /// Tries after the first.
    pub retry_attempts: u32,
    /// Must contain `{context}` and `{question}`.
    pub prompt_template: String,
    /// Tokens of passages that a prompt may carry.
    pub context_tokens: u32,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum GenerationProvider {
    /// The best sentences of the passages, cited. No language model.
    #[default]
    Builtin,
    OpenAiCompatible(OpenAiCompatible),
    /// Retrieve only: questions are refused with `generation_disabled`.
    Disabled,
}

/// The system description's example prompt.
pub const DEFAULT_PROMPT_TEMPLATE: &str = "You are a helpful assistant. Use the following context to answer the question.\n\n\
    Context:\n{context}\n\nQuestion: {question}\n\nAnswer:\n";

impl Default for Generation {
    fn default() -> Self {
        Self {
            provider: GenerationProvider::default(),
            temperature: 0.2,
            max_tokens: 1_000,
            top_p: 0.9,
            timeout_seconds: Seconds(60),
            retry_attempts: 3,
            prompt_template: DEFAULT_PROMPT_TEMPLATE.into(),
            context_tokens: 6_000,
        }
    }
}
