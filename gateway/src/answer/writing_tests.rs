//! An answer as it is written: its events, its citations, its end.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::{FutureExt, StreamExt, stream};
use ragline_config::{Logging, Price};

use super::{
    AnswerError, AnswerEvent, AnswerOutcome, AnswerRequest, Answerer, Mark,
    retrieve_fixture::{Bench, Model, Rewords, Shelf, somebody},
};
use crate::traits::generator::{
    Ending, Finish, GenerateError, Generated, GenerationRequest, Generator, Piece, Pieces, Speaker, Turn, Usage,
};

/// Writes what it was given, then ends or does not.
#[derive(Debug, Default)]
struct Script {
    pieces: Vec<&'static str>,
    end: End,
    /// What a question becomes; `None`: condensing fails.
    condensed: Option<&'static str>,
    asked: Mutex<Vec<GenerationRequest>>,
}

#[derive(Clone, Copy, Debug, Default)]
enum End {
    #[default]
    Well,
    Broken,
    Never,
}

#[async_trait]
impl Generator for Script {
    async fn write(&self, request: &GenerationRequest) -> Result<Pieces, GenerateError> {
        self.asked.lock().unwrap().push(request.clone());
        if request.passages.is_empty() {
            let usage = Usage { prompt_tokens: 30, completion_tokens: 6 };
            let reply = self.condensed.ok_or(GenerateError::RateLimited { host: "here".into(), retry_after: None })?;
            let ending = Ending { model: "script".into(), usage, finish: Finish::Stop };
            return Ok(Generated { text: reply.into(), ending }.into_pieces());
        }
        let pieces: Vec<_> = self.pieces.iter().map(|text| Ok(Piece::Text((*text).to_owned()))).collect();
        let usage = Usage { prompt_tokens: 100, completion_tokens: 20 };
        let ending = Ending { model: "stand-in".into(), usage, finish: Finish::Stop };
        let end = match self.end {
            End::Well => stream::iter([Ok(Piece::End(ending))]).boxed(),
            End::Broken => stream::iter([Err(GenerateError::Malformed { host: "here".into(), what: "cut".into() })]).boxed(),
            End::Never => stream::pending().boxed(),
        };
        Ok(stream::iter(pieces).chain(end).boxed())
    }

    fn model_name(&self) -> &str {
        "script"
    }

    async fn health(&self) -> Result<(), GenerateError> {
        Ok(())
    }
}

/// The shelf's passages say `text 2 of the made-up shelf`, then the same of 1, 4 and 3, and the model finds all texts alike.
fn answerer(pieces: &[&'static str], end: End) -> Answerer {
    let bench = Bench::new(Model::default(), Shelf::default());
    let script = Script { pieces: pieces.to_vec(), end, ..Script::default() };
    Answerer::new(bench.retriever, Arc::new(script), Logging::default())
}

fn question() -> AnswerRequest {
    AnswerRequest { question: "Which shelf is it?".into(), ..AnswerRequest::default() }
}

async fn events(answerer: &Answerer) -> Vec<Result<AnswerEvent, AnswerError>> {
    answerer.stream(&somebody(), &question()).await.unwrap().collect().await
}

async fn answer(pieces: &[&'static str]) -> AnswerOutcome {
    answerer(pieces, End::Well).answer(&somebody(), &question()).await.unwrap()
}

fn counted(answerer: &Answerer, outcome: &str) -> u64 {
    answerer.retriever.metrics.rag_answers.with_label_values(&[outcome]).get()
}

fn dropped(answerer: &Answerer, reason: &str) -> u64 {
    answerer.retriever.metrics.rag_citations_dropped.with_label_values(&[reason]).get()
}

#[tokio::test]
async fn the_texts_of_the_events_are_the_answer_and_their_marks_its_marks() {
    let answerer = answerer(&["It is te", "xt 2", " [1]. ", "And te", "xt 1 [2", "].\n\nThe e", "nd [17].  "], End::Well);
    let (mut texts, mut marks, mut last) = (Vec::new(), Vec::new(), None);
    for (number, event) in events(&answerer).await.into_iter().enumerate() {
        match event.unwrap() {
            AnswerEvent::Found { sources, model, .. } => {
                assert_eq!((number, sources.len(), model.as_str()), (0, 4, "script"));
            }
            AnswerEvent::Text { text, marks: more } => {
                texts.push(text);
                marks.extend(more);
            }
            AnswerEvent::End(outcome) => last = Some(outcome),
        }
    }
    let outcome = last.unwrap();
    assert_eq!(texts, ["It is text 2 [1].", " And text 1 [2].", "\n\nThe end."]);
    assert_eq!((texts.concat(), &marks), (outcome.answer, &outcome.marks));
    assert_eq!(marks, [Mark { number: 1, at: 13 }, Mark { number: 2, at: 29 }]);
    assert_eq!(outcome.citations.iter().map(|c| (c.number, c.source.chunk_id)).collect::<Vec<_>>(), [(1, 2), (2, 1)]);
    assert!(outcome.grounded);
    assert_eq!((outcome.model.as_str(), outcome.usage.completion_tokens), ("stand-in", 20));
    assert_eq!((dropped(&answerer, "unknown"), dropped(&answerer, "unsupported")), (1, 0));
    assert_eq!(counted(&answerer, "grounded"), 1);
}

#[tokio::test]
async fn a_sentence_is_let_go_before_the_next_is_complete() {
    let answerer = answerer(&["It is text 2 [1]. And", " what"], End::Never);
    let mut events = answerer.stream(&somebody(), &question()).await.unwrap();
    let _found = events.next().await.unwrap().unwrap();
    let AnswerEvent::Text { text, .. } = events.next().await.unwrap().unwrap() else { panic!("no text") };
    assert_eq!(text, "It is text 2 [1].");
    assert!(events.next().now_or_never().is_none(), "an unfinished sentence was let go");
    drop(events);
    assert_eq!(counted(&answerer, "abandoned"), 1);
    let tokens = |direction| answerer.retriever.metrics.rag_llm_tokens_used.with_label_values(&[direction]).get();
    assert!(tokens("prompt") > 50, "{}", tokens("prompt"));
    assert_eq!(tokens("completion"), 7);
}

#[tokio::test]
async fn what_breaks_off_is_an_error_behind_what_was_complete() {
    let answerer = answerer(&["It is text 2 [1]. And"], End::Broken);
    let events = events(&answerer).await;
    assert_eq!(events.len(), 3);
    assert!(matches!(events[2], Err(AnswerError::Generate(_))));
    assert_eq!((counted(&answerer, "failed"), counted(&answerer, "abandoned")), (1, 0));
    assert!(answerer.answer(&somebody(), &question()).await.is_err());
}

#[tokio::test]
async fn a_model_that_does_not_know_is_not_grounded() {
    for text in ["I don't know [1].", "I do not know.", "I don\u{2019}t know. See [2]."] {
        let outcome = answer(&[text]).await;
        assert!(!outcome.grounded && outcome.citations.is_empty() && outcome.marks.is_empty(), "{text}");
        assert!(!outcome.answer.contains('['), "{}", outcome.answer);
    }
    let outcome = answer(&["text 2 is what I don't know [1]."]).await;
    assert!(outcome.grounded);
}

#[tokio::test]
async fn nothing_written_is_said_to_be_unknown() {
    let outcome = answer(&[" ", "\n"]).await;
    assert_eq!((outcome.answer.as_str(), outcome.grounded), (super::DONT_KNOW, false));
}

#[tokio::test]
async fn an_answer_given_up_before_the_first_piece_is_counted() {
    let answerer = answerer(&[], End::Never);
    drop(answerer.stream(&somebody(), &question()).await.unwrap());
    assert_eq!(counted(&answerer, "abandoned"), 1);
}

/// An answerer whose model is kept at hand, and a question that follows a conversation.
fn conversation(condensed: Option<&'static str>) -> (Answerer, Arc<Script>, AnswerRequest) {
    let script = Arc::new(Script { pieces: vec!["It is text 2 [1]."], condensed, ..Script::default() });
    let answerer = Answerer { generator: Arc::clone(&script) as _, ..answerer(&[], End::Well) };
    let turn = |speaker, text: &str| Turn { speaker, text: text.into() };
    let history = vec![turn(Speaker::User, "Which shelf is made-up?"), turn(Speaker::Assistant, "That of text 4 [1].")];
    (answerer, script, AnswerRequest { question: "Which text is on it?".into(), history, ..AnswerRequest::default() })
}

#[tokio::test]
async fn a_question_in_a_conversation_is_searched_as_the_model_puts_it_and_answered_as_it_was_asked() {
    let (mut answerer, script, request) = conversation(Some("Which shelf is the made-up one?"));
    let price = Price { prompt_usd_per_million: 1.0, completion_usd_per_million: 10.0 };
    answerer.retriever.generation.prices.extend(["script", "stand-in"].map(|model| (model.into(), price)));
    let outcome = answerer.answer(&somebody(), &request).await.unwrap();
    let asked = script.asked.lock().unwrap();
    let [condensing, answering] = asked.as_slice() else { panic!("{} requests", asked.len()) };
    assert!(condensing.prompt.contains("Which shelf is made-up?") && condensing.history.is_empty());
    assert_eq!(answering.question, "Which shelf is the made-up one?");
    assert!(answering.prompt.contains("Which text is on it?"), "{}", answering.prompt);
    assert_eq!(answering.history, request.history);
    assert_eq!((outcome.usage.prompt_tokens, outcome.usage.completion_tokens), (130, 26));
    assert!((outcome.cost_usd.unwrap() - 390.0 / 1e6).abs() < 1e-12);
    assert_eq!(answerer.retriever.metrics.rag_condense_failures.get(), 0);
}

#[tokio::test]
async fn condensing_that_fails_is_counted_and_done_by_rule() {
    let (answerer, script, request) = conversation(None);
    let outcome = answerer.answer(&somebody(), &request).await.unwrap();
    assert_eq!(script.asked.lock().unwrap()[1].question, "Which text is on it? shelf made");
    assert_eq!((outcome.cost_usd, answerer.retriever.metrics.rag_condense_failures.get()), (None, 1));
}

#[tokio::test]
async fn a_context_too_small_for_any_passage_asks_no_model() {
    let (mut answerer, script, request) = conversation(Some("Which shelf is it?"));
    answerer.retriever.generation.model_context_tokens = Some(60);
    let outcome = answerer.answer(&somebody(), &request).await.unwrap();
    assert_eq!((outcome.answer.as_str(), script.asked.lock().unwrap().len()), (super::DONT_KNOW, 1));
}

#[tokio::test]
async fn a_conversation_that_must_be_whole_is_answered_whole_or_not_at_all() {
    let (mut answerer, script, request) = conversation(Some("Which shelf is it?"));
    let request = AnswerRequest { whole_history: true, ..request };
    answerer.answer(&somebody(), &request).await.unwrap();
    script.asked.lock().unwrap().clear();
    // A quarter of this is less than the conversation.
    answerer.retriever.generation.context_tokens = 20;
    for refused in [answerer.answer(&somebody(), &request).await.err(), answerer.count(&somebody(), &request).await.err()] {
        assert!(matches!(refused, Some(AnswerError::TooLong { room: 5 })), "{refused:?}");
    }
    assert!(script.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn instructions_come_after_our_own() {
    let (answerer, script, request) = conversation(Some("Which shelf is it?"));
    let request = AnswerRequest { history: Vec::new(), instructions: Some("Be\u{200b} brief.".into()), ..request };
    answerer.answer(&somebody(), &request).await.unwrap();
    let asked = script.asked.lock().unwrap();
    assert!(asked[0].system.starts_with("Answer only") && asked[0].system.ends_with("\nBe brief."), "{}", asked[0].system);
}

/// What is written with texts that end it: the answer, whether the model was let write to its end, and the tokens of the answer.
async fn stopped(pieces: &[&'static str], stop: &[&str]) -> (String, u64, Vec<Mark>) {
    let request = AnswerRequest { stop: stop.iter().map(|&text| text.to_owned()).collect(), ..question() };
    let outcome = answerer(pieces, End::Never).answer(&somebody(), &request).await.unwrap();
    assert_eq!(outcome.finish, Finish::Stop);
    (outcome.answer, outcome.usage.completion_tokens, outcome.marks)
}

#[tokio::test]
async fn an_answer_ends_before_the_texts_that_the_caller_names() {
    let pieces = ["It is text 2 [1]. And E", "N", "D of text 1 [2]."];
    let (answer, tokens, marks) = stopped(&pieces, &["nothing", "END"]).await;
    assert_eq!((answer.as_str(), tokens), ("It is text 2 [1]. And", 6));
    assert_eq!(marks, [Mark { number: 1, at: 13 }]);
    let (answer, ..) = stopped(&["END of all"], &["END"]).await;
    assert_eq!(answer, "", "nothing that the model did not say is said instead");
    let request = AnswerRequest { stop: vec!["END".into()], ..question() };
    let whole = answerer(&["It is text 2 [1]. And EN"], End::Well).answer(&somebody(), &request).await.unwrap();
    assert_eq!((whole.answer.as_str(), whole.usage.completion_tokens), ("It is text 2 [1]. And EN", 20));
}

#[tokio::test]
async fn what_was_spent_beside_an_answer_is_in_its_cost() {
    let (mut answerer, _, request) = conversation(Some("Which shelf is the made-up one?"));
    answerer.retriever.rephraser = Arc::new(Rewords { down: false });
    let price = |usd| Price { prompt_usd_per_million: usd, completion_usd_per_million: 0.0 };
    for (model, usd) in [("script", 1.0), ("stand-in", 10.0), ("rewords", 100.0)] {
        answerer.retriever.generation.prices.insert(model.into(), price(usd));
    }
    let outcome = answerer.answer(&somebody(), &request).await.unwrap();
    assert_eq!((outcome.usage.prompt_tokens, outcome.usage.completion_tokens), (100 + 30 + 3, 20 + 6 + 4));
    let cost = (30.0 + 1_000.0 + 300.0) / 1e6;
    assert!((outcome.cost_usd.unwrap() - cost).abs() < 1e-12, "{:?}", outcome.cost_usd);
    let metrics = &answerer.retriever.metrics;
    assert!((metrics.cost_of("1") - cost).abs() < 1e-12, "each is counted once");
    assert_eq!(metrics.rag_llm_tokens_used.with_label_values(&["prompt"]).get(), 133);
}

#[tokio::test]
async fn a_question_is_rewritten_by_a_language_model_or_stays() {
    let (answerer, script, _) = conversation(Some("\"the made-up shelf\"\n"));
    let rewritten = answerer.rewrite(&somebody(), "Hello! Could you tell me which shelf it is? 4111 1111 1111 1111").await;
    assert_eq!((rewritten.query.as_str(), rewritten.failed), ("the made-up shelf", false));
    assert!(
        script.asked.lock().unwrap()[0]
            .prompt
            .contains("<question>Hello! Could you tell me which shelf it is? [CARD]</question>")
    );
    assert_eq!(answerer.retriever.metrics.rag_llm_tokens_used.with_label_values(&["prompt"]).get(), 30);
    let (answerer, ..) = conversation(None);
    let rewritten = answerer.rewrite(&somebody(), "Which shelf?").await;
    assert_eq!((rewritten.query.as_str(), rewritten.failed), ("Which shelf?", true));
    assert_eq!(answerer.retriever.metrics.rag_rewrite_failures.get(), 1);
    let none = Answerer { generator: Arc::new(crate::backends::off::NoGenerator), ..answerer };
    let kept = none.rewrite(&somebody(), "Which shelf?").await;
    assert_eq!((kept.query.as_str(), kept.failed), ("Which shelf?", false));
}

#[tokio::test]
async fn what_a_model_would_be_given_is_counted_without_asking_it() {
    let (answerer, script, request) = conversation(Some("Which shelf is it?"));
    let count = answerer.count(&somebody(), &request).await.unwrap();
    assert!(script.asked.lock().unwrap().is_empty());
    let longer = AnswerRequest { instructions: Some("one two three four five".into()), ..request.clone() };
    assert!(answerer.count(&somebody(), &longer).await.unwrap() > count + 5);
    // What is broken off is estimated by the same figures.
    let (pending, ..) = conversation(Some("Which text is on it? shelf made"));
    let pending = Answerer {
        generator: Arc::new(Script { end: End::Never, condensed: Some("Which text is on it? shelf made"), ..Script::default() }),
        ..pending
    };
    drop(pending.stream(&somebody(), &request).await.unwrap());
    assert_eq!(pending.retriever.metrics.rag_llm_tokens_used.with_label_values(&["prompt"]).get(), count + 30);
    let empty = AnswerRequest::default();
    assert!(matches!(answerer.count(&somebody(), &empty).await, Err(AnswerError::EmptyQuestion)));
}
