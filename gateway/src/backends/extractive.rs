//! The built-in generator: the sentences of the passages that bear on the question most, word for word, each with its citation. No
//! language model, and it says so by its name.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    answer::evidence::{Evidence, weigh},
    traits::{
        embedder::Embedder,
        generator::{Ending, Finish, GenerateError, Generated, GenerationRequest, Generator, Pieces, Usage},
    },
};

/// Sentences of an answer.
const MOST_SENTENCES: usize = 3;
/// A further sentence must be at least this strong, as a share of the best one's strength.
const LEAST_SHARE: f32 = 0.75;

/// Quotes the passages.
#[derive(Clone, Debug)]
pub struct ExtractiveGenerator {
    embedder: Arc<dyn Embedder>,
}

impl ExtractiveGenerator {
    /// A generator that weighs sentences with this model.
    pub fn new(embedder: Arc<dyn Embedder>) -> Self {
        Self { embedder }
    }
}

#[async_trait]
impl Generator for ExtractiveGenerator {
    async fn write(&self, request: &GenerationRequest) -> Result<Pieces, GenerateError> {
        let texts: Vec<&str> = request.passages.iter().map(|p| p.text.as_str()).collect();
        let evidence = weigh(&request.question, &texts, self.embedder.as_ref()).await.map_err(GenerateError::Embed)?;
        let mut chosen = choose(evidence);
        // In the order of the text, so that neighbours read on.
        chosen.sort_by_key(|e| (e.passage, e.sentence));
        let quoted: Vec<String> = chosen.iter().map(|e| format!("{} [{}]", e.text, request.passages[e.passage].number)).collect();
        let tokenizer = self.embedder.tokenizer();
        let text = quoted.join(" ");
        let usage =
            Usage { prompt_tokens: tokenizer.count(&request.prompt) as u64, completion_tokens: tokenizer.count(&text) as u64 };
        let ending = Ending { model: self.model_name().to_owned(), usage, finish: Finish::Stop };
        Ok(Generated { text, ending }.into_pieces())
    }

    fn model_name(&self) -> &str {
        "builtin-extractive"
    }

    fn follows_instructions(&self) -> bool {
        false
    }

    async fn health(&self) -> Result<(), GenerateError> {
        self.embedder.health().await.map_err(GenerateError::Embed)
    }
}

/// The best sentence and those that are nearly as strong, none twice.
fn choose(evidence: Vec<Evidence>) -> Vec<Evidence> {
    let Some(least) = evidence.first().map(|best| best.strength() * LEAST_SHARE) else { return Vec::new() };
    let mut chosen: Vec<Evidence> = Vec::new();
    for candidate in evidence {
        if chosen.len() == MOST_SENTENCES || candidate.strength() < least {
            break;
        }
        if chosen.iter().all(|e| e.text != candidate.text) {
            chosen.push(candidate);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(text: &str, cosine: f32) -> Evidence {
        Evidence { passage: 0, sentence: 0, text: text.into(), cosine, overlap: 0.5 }
    }

    #[test]
    fn weak_and_repeated_sentences_are_left_out() {
        let all = vec![evidence("a", 0.9), evidence("a", 0.9), evidence("b", 0.8), evidence("c", 0.1)];
        let texts: Vec<String> = choose(all).into_iter().map(|e| e.text).collect();
        assert_eq!(texts, ["a", "b"]);
    }
}
