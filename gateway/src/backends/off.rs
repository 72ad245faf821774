//! A generator for pipelines that only retrieve.

use async_trait::async_trait;

use crate::traits::generator::{GenerateError, Generated, GenerationRequest, Generator};

/// Refuses to write answers.
#[derive(Clone, Copy, Debug)]
pub struct NoGenerator;

#[async_trait]
impl Generator for NoGenerator {
    async fn generate(&self, _: &GenerationRequest) -> Result<Generated, GenerateError> {
        Err(GenerateError::Disabled)
    }

    fn model_name(&self) -> &str {
        "none"
    }

    async fn health(&self) -> Result<(), GenerateError> {
        Err(GenerateError::Disabled)
    }
}
