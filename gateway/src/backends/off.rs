//! A generator for pipelines that only retrieve, a reranker for those that keep the order of the search, and a rephraser for those that
//! search for the question alone.

use async_trait::async_trait;

use crate::traits::{
    generator::{GenerateError, GenerationRequest, Generator, Pieces, Usage},
    rephraser::Rephraser,
    reranker::{RerankError, Reranker},
};

/// The name of a model that is none.
pub const NO_MODEL: &str = "none";

/// Refuses to write answers.
#[derive(Clone, Copy, Debug)]
pub struct NoGenerator;

#[async_trait]
impl Generator for NoGenerator {
    async fn write(&self, _: &GenerationRequest) -> Result<Pieces, GenerateError> {
        Err(GenerateError::Disabled)
    }

    fn model_name(&self) -> &str {
        NO_MODEL
    }

    fn follows_instructions(&self) -> bool {
        false
    }

    async fn health(&self) -> Result<(), GenerateError> {
        Err(GenerateError::Disabled)
    }
}

/// Leaves the order as it is.
#[derive(Clone, Copy, Debug)]
pub struct NoReranker;

#[async_trait]
impl Reranker for NoReranker {
    async fn rerank(&self, _: &str, documents: &[&str]) -> Result<Vec<f32>, RerankError> {
        Ok(vec![0.0; documents.len()])
    }

    fn candidates(&self) -> Option<u32> {
        None
    }

    fn model_name(&self) -> &str {
        NO_MODEL
    }
}

/// Knows no other wordings.
#[derive(Clone, Copy, Debug)]
pub struct NoRephraser;

#[async_trait]
impl Rephraser for NoRephraser {
    async fn rephrase(&self, _: &str) -> Result<(Vec<String>, Usage), GenerateError> {
        Ok((Vec::new(), Usage::default()))
    }

    fn model_name(&self) -> &str {
        NO_MODEL
    }
}
