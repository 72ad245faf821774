//! Other wordings of a question.

use async_trait::async_trait;

use super::generator::{GenerateError, Usage};

/// Words questions otherwise.
#[async_trait]
pub trait Rephraser: Send + Sync + std::fmt::Debug {
    /// Other wordings, none of them the question itself, and what they cost. None where this is switched off.
    ///
    /// # Errors
    /// The model's; whoever asks goes on with the question alone.
    async fn rephrase(&self, question: &str) -> Result<(Vec<String>, Usage), GenerateError>;

    /// Part of a result's key: another model words it otherwise.
    fn model_name(&self) -> &str;
}
