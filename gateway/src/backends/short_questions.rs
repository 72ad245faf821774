//! A cheaper model for short questions. A question that follows a conversation is never short: what it means is in what was said before.

use std::sync::Arc;

use async_trait::async_trait;
use unicode_segmentation::UnicodeSegmentation;

use crate::traits::generator::{GenerateError, GenerationRequest, Generator, Pieces};

/// Chooses between two generators by the question's length.
#[derive(Debug)]
pub struct ByLength {
    short: Arc<dyn Generator>,
    other: Arc<dyn Generator>,
    max_words: usize,
}

impl ByLength {
    /// Asks `short` questions of at most `max_words` words, `other` the rest.
    pub fn new(short: Arc<dyn Generator>, other: Arc<dyn Generator>, max_words: u32) -> Self {
        Self { short, other, max_words: max_words as usize }
    }

    fn is_short(&self, request: &GenerationRequest) -> bool {
        // One word more than allowed is enough to know.
        request.history.is_empty() && request.question.unicode_words().take(self.max_words + 1).count() <= self.max_words
    }
}

#[async_trait]
impl Generator for ByLength {
    async fn write(&self, request: &GenerationRequest) -> Result<Pieces, GenerateError> {
        if self.is_short(request) { self.short.write(request).await } else { self.other.write(request).await }
    }

    fn model_name(&self) -> &str {
        self.other.model_name()
    }

    fn follows_instructions(&self) -> bool {
        self.other.follows_instructions()
    }

    async fn health(&self) -> Result<(), GenerateError> {
        self.other.health().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backends::off::NoGenerator,
        traits::generator::{Speaker, Turn},
    };

    #[test]
    fn a_question_is_short_by_its_words_and_only_at_the_beginning() {
        let generator = ByLength::new(Arc::new(NoGenerator), Arc::new(NoGenerator), 3);
        let asked = |question: &str, history: Vec<Turn>| {
            generator.is_short(&GenerationRequest { question: question.into(), history, ..GenerationRequest::default() })
        };
        assert!(asked("Which port?", Vec::new()));
        assert!(!asked("Which port does it use?", Vec::new()));
        // Languages without spaces are counted by their signs.
        assert!(!asked("どの港ですか", Vec::new()));
        assert!(!asked("And why?", vec![Turn { speaker: Speaker::User, text: "Which port?".into() }]));
    }
}
