//! Trip three: a question becomes an answer. The trip reads as its steps; each step has a file. No I/O but through the traits.

mod bill;
mod budget;
mod citations;
mod commands;
mod condense;
pub mod confidence;
mod context;
mod cost;
mod event;
pub mod evidence;
mod expand;
mod fit;
#[cfg(test)]
pub(crate) mod fixtures;
mod flight;
mod fuse;
mod legs;
mod matches;
pub mod prompt;
mod redacted;
mod relevance;
mod remembered;
mod request;
mod rerank;
mod retrieve;
#[cfg(test)]
mod retrieve_fixture;
#[cfg(test)]
mod retrieve_tests;
mod rewrite;
mod score;
pub mod sense;
mod sentence;
mod similar;
mod stop;
pub mod support;
mod tally;
pub(crate) mod terms;
mod writing;
#[cfg(test)]
mod writing_tests;

use std::{sync::Arc, time::Instant};

use futures::StreamExt;
use ragline_config::Logging;
use tracing::{Instrument, Span, field::Empty};
use uuid::Uuid;

pub use cost::Expense;
pub use flight::Flights;
pub use matches::Matches;
pub use relevance::{RankError, RankRequest, Ranked, RankedBy, Ranker};
pub use remembered::Remembered;
pub use request::{
    AnswerError, AnswerEvent, AnswerEvents, AnswerOutcome, AnswerRequest, Citation, Mark, Preference, SearchOutcome,
    SearchRequest,
};
pub use retrieve::Retriever;
pub use rewrite::Rewritten;

use self::{
    condense::{Condensed, by_rule, condense},
    context::Context,
    fit::Fitted,
    retrieve::Query,
    stop::Stops,
    support::Ground,
    tally::{Ended, Tally},
    writing::{Writing, Written},
};
use crate::{
    telemetry::{stage, subject},
    traits::{
        filter::Filter,
        generator::{Ending, GenerateError, Generated, GenerationRequest, Generator, Pieces, Usage},
        search::Principal,
    },
};

/// What is said when the context carries no answer.
pub const DONT_KNOW: &str = "I don't know. The documents that were found do not answer this question.";

/// Answers questions of any workspace.
#[derive(Clone, Debug)]
pub struct Answerer {
    pub retriever: Retriever,
    pub generator: Arc<dyn Generator>,
    pub logging: Logging,
    /// Of what every prompt has.
    frame_tokens: usize,
}

impl Answerer {
    /// Searches and writes as the retriever is set.
    pub fn new(retriever: Retriever, generator: Arc<dyn Generator>, logging: Logging) -> Self {
        let frame_tokens = prompt::frame_tokens(&retriever.generation.prompt_template, retriever.embedder.tokenizer());
        Self { retriever, generator, logging, frame_tokens }
    }

    /// The passages that are nearest to a text.
    ///
    /// # Errors
    /// An empty text, no vector, or no search.
    pub async fn search(&self, principal: &Principal, request: &SearchRequest) -> Result<SearchOutcome, AnswerError> {
        subject::query(Uuid::now_v7);
        let span = tracing::debug_span!("retrieve", stage = "retrieve");
        let searching = self.retriever.search(principal, request, request.limit.unwrap_or(self.retriever.search.limit));
        stage::run(span, searching).await
    }

    /// The whole answer: what [`Answerer::stream`] comes to.
    ///
    /// # Errors
    /// As [`Answerer::stream`].
    pub async fn answer(&self, principal: &Principal, request: &AnswerRequest) -> Result<AnswerOutcome, AnswerError> {
        let mut events = self.stream(principal, request).await?;
        while let Some(event) = events.next().await {
            if let AnswerEvent::End(outcome) = event? {
                return Ok(*outcome);
            }
        }
        let (host, what) = (self.generator.model_name().to_owned(), "it ended before the answer did".to_owned());
        Err(AnswerError::Generate(GenerateError::Malformed { host, what }))
    }

    /// condense → context → (don't know | prompt → generate), then as it is written: sentence → cite; at its end, log. What fails before a word
    /// is written fails here; what fails later is the stream's last event.
    ///
    /// # Errors
    /// An empty question, a conversation that must be whole and finds no room, no vector, no search, or no generation.
    pub async fn stream(&self, principal: &Principal, request: &AnswerRequest) -> Result<AnswerEvents, AnswerError> {
        let begun = Instant::now();
        let request = &self.retriever.redacted_request(request);
        let text = self.checked(request)?;
        let query_id = Uuid::now_v7();
        subject::query(|| query_id);
        let span = tracing::debug_span!("condense", stage = "condense");
        let condensed = condense(self.generator.as_ref(), &request.history, text).instrument(span).await;
        let Condensed { question, expense, failed } = condensed;
        self.retriever.metrics.rag_condense_failures.inc_by(u64::from(failed));
        let mut tally = self.tally(principal, text, query_id, expense, begun);
        let query = self.query(request, question);
        let span = tracing::debug_span!("retrieve", stage = "retrieve");
        let context = match stage::run(span, context::of(&self.retriever, principal, &query)).await {
            Ok(context) => context,
            Err(error) => {
                tally.tell(Ended::Failed, Usage::default());
                return Err(error);
            }
        };
        tally.found(&context);
        let writing = if context.assessment.carries_answer {
            self.write(query.text, context, request, tally).await?
        } else {
            self.dont_know(tally, request)
        };
        Ok(writing.events())
    }

    /// How many tokens the model would be given for the request: instructions, conversation, question and the passages that are found,
    /// counted by the embedder's tokenizer. No language model is asked, so a question that follows a conversation is condensed by rule.
    ///
    /// # Errors
    /// An empty question, a conversation that must be whole and finds no room, no vector, or no search.
    pub async fn count(&self, principal: &Principal, request: &AnswerRequest) -> Result<u64, AnswerError> {
        let request = &self.retriever.redacted_request(request);
        let text = self.checked(request)?;
        let query = self.query(request, by_rule(&request.history, text));
        let context = context::of(&self.retriever, principal, &query).await?;
        Ok(self.fit(&context.matches, request).tokens)
    }

    /// The question as a language model puts it for a search, or as it is where there is none or it fails. Counted here.
    pub async fn rewrite(&self, principal: &Principal, question: &str) -> Rewritten {
        let question = self.retriever.redacted(question);
        let rewritten = rewrite::rewrite(self.generator.as_ref(), &question).await;
        self.retriever.spend(principal, &rewritten.expense);
        self.retriever.metrics.rag_rewrite_failures.inc_by(u64::from(rewritten.failed));
        rewritten
    }

    /// The question, where it can be answered.
    fn checked<'a>(&self, request: &'a AnswerRequest) -> Result<&'a str, AnswerError> {
        let text = request.question.trim();
        if text.is_empty() {
            return Err(AnswerError::EmptyQuestion);
        }
        let bound = request.whole_history.then(|| self.fixed(request).budget.history_bound).flatten();
        bound.map_or(Ok(text), |room| Err(AnswerError::TooLong { room }))
    }

    /// What is looked for.
    fn query(&self, request: &AnswerRequest, question: String) -> Query {
        Query {
            text: question,
            limit: request.limit.unwrap_or(self.retriever.search.answer_limit),
            mode: request.mode.unwrap_or(self.retriever.search.mode),
            filter: Filter::within(&request.collections, request.filter.clone()),
            threshold: request.threshold,
            preference: request.preference,
        }
    }

    /// Has the answer written from the passages that find room in the prompt. `question` stands alone; the model, which reads the
    /// conversation as well, is asked as the user did.
    async fn write(
        &self,
        question: String,
        context: Context,
        request: &AnswerRequest,
        mut tally: Tally,
    ) -> Result<Writing, AnswerError> {
        let settings = &self.retriever.generation;
        let Fitted { system, history, filled, max_tokens, tokens } = self.fit(&context.matches, request);
        if filled.passages.is_empty() {
            return Ok(self.dont_know(tally, request));
        }
        tally.prompt_tokens = Some(tokens);
        let generation = GenerationRequest {
            system,
            history,
            prompt: filled.text,
            question,
            passages: filled.passages,
            temperature: request.temperature.unwrap_or(settings.temperature),
            max_tokens,
            top_p: request.top_p.unwrap_or(settings.top_p),
        };
        tally.asked = Some(Instant::now());
        let generating = self.generating(max_tokens);
        let pieces = match stage::run(generating.clone(), self.generator.write(&generation)).await {
            Ok(pieces) => pieces,
            Err(error) => {
                tally.tell(Ended::Failed, Usage::default());
                return Err(AnswerError::Generate(error));
            }
        };
        let numbered = (1..).zip(context.matches.into_vec()).take(generation.passages.len());
        let mut writing = self.writing(tally, request, pieces);
        writing.sources = numbered.map(|(number, source)| Citation { number, source }).collect();
        writing.grounds = generation.passages.into_iter().map(Ground::new).collect();
        writing.generating = generating;
        Ok(writing)
    }

    /// The span of the model's work, from the question to its last word.
    fn generating(&self, max_tokens: u32) -> Span {
        tracing::debug_span!(
            "generate",
            stage = "generate",
            gen_ai.operation.name = "chat",
            gen_ai.request.model = self.generator.model_name(),
            gen_ai.request.max_tokens = max_tokens,
            gen_ai.response.model = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
        )
    }

    /// The same way without asking the generator.
    fn dont_know(&self, tally: Tally, request: &AnswerRequest) -> Writing {
        let pieces = Generated { text: DONT_KNOW.to_owned(), ending: Ending::default() }.into_pieces();
        self.writing(tally, request, pieces)
    }

    /// An answer that cites nothing.
    fn writing(&self, tally: Tally, request: &AnswerRequest, pieces: Pieces) -> Writing {
        Writing {
            tally,
            embedder: Arc::clone(&self.retriever.embedder),
            redactor: self.retriever.redactor,
            sources: Vec::new(),
            grounds: Vec::new(),
            pieces: Some(pieces),
            stops: Stops::new(&request.stop),
            written: Written::default(),
            generating: Span::none(),
            citing: None,
        }
    }

    fn tally(&self, principal: &Principal, question: &str, query_id: Uuid, condensing: Expense, begun: Instant) -> Tally {
        Tally {
            query_id,
            workspace: principal.workspace,
            query: self.logging.query_text.then(|| question.to_owned()),
            logged: self.logging.queries,
            model: self.generator.model_name().to_owned(),
            confidence: 0.0,
            cache_hit: false,
            mode: self.retriever.search.mode,
            num_results: 0,
            avg_similarity: 0.0,
            begun,
            retrieval_time_ms: 0.0,
            asked: None,
            prompt_tokens: None,
            condensing,
            expansion: Expense { model: self.retriever.rephraser.model_name().to_owned(), usage: Usage::default() },
            generation: self.retriever.generation.clone(),
            told: false,
            metrics: self.retriever.metrics.clone(),
            span: Span::current(),
        }
    }
}
