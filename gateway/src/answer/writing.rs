//! An answer that is being written: pieces of the generator → whole sentences → checked citations → events. It tells of its end once,
//! also when the model fails or whoever reads it goes away.

use std::sync::Arc;

use futures::{StreamExt, stream};
use tracing::{Instrument, Span};

use super::{
    DONT_KNOW,
    citations::{self, Checked, Marker},
    request::{AnswerError, AnswerEvent, AnswerEvents, AnswerOutcome, Citation, Mark},
    sentence::Held,
    stop::{Shown, Stops},
    support::{self, Ground},
    tally::{Ended, Tally, Told},
};
use crate::{
    redact::Redactor,
    telemetry::stage::{self, ErrorType},
    traits::{
        embedder::Embedder,
        generator::{Ending, Finish, GenerateError, Piece, Pieces, Usage},
    },
};

/// What an answer is called for once its model says so itself.
const DECLINED: [&str; 3] = ["i don't know", "i do not know", "i don\u{2019}t know"];

/// An answer under way.
pub(super) struct Writing {
    pub(super) tally: Tally,
    pub(super) embedder: Arc<dyn Embedder>,
    /// Takes out of each sentence what nobody should read.
    pub(super) redactor: Redactor,
    /// The passages that may be cited.
    pub(super) sources: Vec<Citation>,
    pub(super) grounds: Vec<Ground>,
    /// `None` once nothing more is wanted of the model: dropping them ends its writing.
    pub(super) pieces: Option<Pieces>,
    /// Where the caller wants the answer to end.
    pub(super) stops: Stops,
    pub(super) written: Written,
    /// The span of the generator's work, closed with its last word.
    pub(super) generating: Span,
    /// That of checking citations, once there was one.
    pub(super) citing: Option<Span>,
}

/// What was written so far.
#[derive(Debug, Default)]
pub(super) struct Written {
    step: Step,
    held: Held,
    /// Let go, without the spaces at its end.
    answer: String,
    chars: usize,
    /// At the end of what was let go; written once something follows.
    spaces: String,
    marks: Vec<Mark>,
    in_code: bool,
    /// The sentence before, without its markers.
    before: String,
    /// The model says that it does not know.
    declined: bool,
}

#[derive(Debug, Default)]
enum Step {
    #[default]
    Found,
    Text,
    Last(Ending),
    Done,
}

impl Writing {
    /// As a stream. Dropping it gives the answer up.
    pub(super) fn events(self) -> AnswerEvents {
        stream::unfold(self, |mut writing| async move { writing.next().await.map(|event| (event, writing)) }).boxed()
    }

    async fn next(&mut self) -> Option<Result<AnswerEvent, AnswerError>> {
        loop {
            match std::mem::replace(&mut self.written.step, Step::Text) {
                Step::Found => return Some(Ok(self.found())),
                Step::Text => {
                    let sentences = match self.piece().await {
                        Ok(sentences) => sentences,
                        Err(error) => {
                            self.written.step = Step::Done;
                            let usage = self.estimate();
                            self.tally.tell(Ended::Failed, usage);
                            return Some(Err(AnswerError::Generate(error)));
                        }
                    };
                    if let Some(event) = self.let_go(sentences).await {
                        return Some(Ok(event));
                    }
                }
                Step::Last(ending) => {
                    self.written.step = Step::Done;
                    return Some(Ok(AnswerEvent::End(Box::new(self.outcome(ending)))));
                }
                Step::Done => {
                    self.written.step = Step::Done;
                    return None;
                }
            }
        }
    }

    fn found(&self) -> AnswerEvent {
        AnswerEvent::Found {
            query_id: self.tally.query_id,
            model: self.tally.model.clone(),
            confidence: self.tally.confidence,
            sources: self.sources.clone(),
        }
    }

    /// The sentences that the next piece completes.
    async fn piece(&mut self) -> Result<Vec<String>, GenerateError> {
        let next = match &mut self.pieces {
            Some(pieces) => pieces.next().instrument(self.generating.clone()).await,
            None => None,
        };
        match next {
            Some(Ok(Piece::Text(text))) => {
                let Shown { text, ended } = self.stops.push(&text);
                self.written.held.push(&text);
                Ok(if ended { self.stop() } else { self.written.held.complete() })
            }
            Some(Ok(Piece::End(ending))) => {
                self.generated(&ending);
                self.written.held.push(&self.stops.rest());
                self.written.step = Step::Last(ending);
                if self.written.answer.is_empty() && self.written.held.text().trim().is_empty() {
                    self.written.held.push(DONT_KNOW);
                }
                Ok(self.written.held.rest())
            }
            Some(Err(error)) => {
                stage::fail(&self.generating, error.error_type());
                Err(error)
            }
            None => {
                let what = "it ended before the answer did".to_owned();
                Err(GenerateError::Malformed { host: self.tally.model.clone(), what })
            }
        }
    }

    /// Closes the span of the generator's work.
    fn generated(&mut self, ending: &Ending) {
        let span = std::mem::replace(&mut self.generating, Span::none());
        if !ending.model.is_empty() {
            span.record("gen_ai.response.model", ending.model.as_str());
        }
        span.record("gen_ai.usage.input_tokens", ending.usage.prompt_tokens);
        span.record("gen_ai.usage.output_tokens", ending.usage.completion_tokens);
    }

    /// Ends the answer where the caller wants it to end. What the model has written is estimated, since it does not come to say so.
    fn stop(&mut self) -> Vec<String> {
        self.pieces = None;
        let ending = Ending { model: String::new(), usage: self.estimate(), finish: Finish::Stop };
        self.generated(&ending);
        self.written.step = Step::Last(ending);
        self.written.held.rest()
    }

    /// The event of these sentences, `None` where they are empty.
    async fn let_go(&mut self, sentences: Vec<String>) -> Option<AnswerEvent> {
        let (begin, mark) = (self.written.answer.len(), self.written.marks.len());
        for sentence in sentences {
            let redacted = self.redactor.redact(&sentence);
            self.tally.metrics.count_redacted(&redacted.counts);
            let checked = self.check(&redacted.text).await;
            self.written.append(checked);
        }
        let text = self.written.answer[begin..].to_owned();
        (!text.is_empty()).then(|| AnswerEvent::Text { text, marks: self.written.marks[mark..].to_vec() })
    }

    /// The sentence with the markers that name a passage which bears it out.
    async fn check(&mut self, sentence: &str) -> Checked {
        let before = std::mem::take(&mut self.written.before);
        let markers = citations::markers(sentence, &before, &mut self.written.in_code);
        let said = citations::keep(sentence, &markers, |_, _| false).text;
        self.written.before = if said.trim().is_empty() { before } else { said };
        if self.written.answer.is_empty() {
            self.written.declined = declines(sentence);
        }
        if markers.is_empty() || self.written.declined {
            return citations::keep(sentence, &markers, |_, _| false);
        }
        let claims = claims(&markers, &self.grounds);
        let stated: Vec<(&str, &Ground)> = claims.iter().map(|claim| (claim.statement, claim.ground)).collect();
        let citing = || tracing::debug_span!(parent: &self.tally.span, "cite", stage = "cite");
        let span = self.citing.get_or_insert_with(citing).clone();
        // A model that is away hinders no answer; what words do not bear out is then let stand.
        let judging = support::judge(&stated, self.embedder.as_ref()).instrument(span);
        let borne_out = judging.await.unwrap_or_else(|_| vec![true; claims.len()]);
        let kept: Vec<(usize, u32)> =
            claims.iter().zip(&borne_out).filter(|(_, yes)| **yes).map(|(c, _)| (c.marker, c.ground.number())).collect();
        let named: usize = markers.iter().map(|marker| marker.numbers.len()).sum();
        self.tally.dropped(named - claims.len(), claims.len() - kept.len());
        citations::keep(sentence, &markers, |marker, number| kept.contains(&(marker, number)))
    }

    fn outcome(&mut self, ending: Ending) -> AnswerOutcome {
        self.citing = None;
        let Ending { model, usage, finish } = ending;
        if !model.is_empty() {
            self.tally.model = model;
        }
        let written = &mut self.written;
        let marks = std::mem::take(&mut written.marks);
        let cited = |source: &Citation| marks.iter().any(|mark| mark.number == source.number);
        let citations: Vec<Citation> = self.sources.iter().filter(|source| cited(source)).cloned().collect();
        let grounded = !citations.is_empty();
        let Told { llm_time_ms, total_time_ms, usage, cost_usd } =
            self.tally.tell(if grounded { Ended::Grounded } else { Ended::Unknown }, usage);
        let Tally { query_id, model, confidence, cache_hit, mode, retrieval_time_ms, .. } = &self.tally;
        AnswerOutcome {
            query_id: *query_id,
            answer: std::mem::take(&mut written.answer),
            citations,
            marks,
            grounded,
            confidence: *confidence,
            model: model.clone(),
            usage,
            cost_usd,
            finish,
            cache_hit: *cache_hit,
            mode: *mode,
            retrieval_time_ms: *retrieval_time_ms,
            llm_time_ms,
            total_time_ms,
        }
    }

    /// What a model has read and written that did not come to say so.
    fn estimate(&self) -> Usage {
        let Some(prompt_tokens) = self.tally.prompt_tokens else { return Usage::default() };
        let tokenizer = self.embedder.tokenizer();
        let completion_tokens = tokenizer.count(&self.written.answer) + tokenizer.count(self.written.held.text());
        Usage { prompt_tokens, completion_tokens: completion_tokens as u64 }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let usage = match &self.written.step {
            Step::Done => return,
            Step::Last(ending) => ending.usage,
            Step::Found | Step::Text => self.estimate(),
        };
        self.tally.tell(Ended::Abandoned, usage);
    }
}

impl Written {
    fn append(&mut self, checked: Checked) {
        let Checked { text, marks } = checked;
        let shown = if self.answer.is_empty() { text.trim_start() } else { text.as_str() };
        let skipped = text.chars().count() - shown.chars().count();
        let visible = shown.trim_end();
        if !visible.is_empty() {
            self.chars += self.spaces.chars().count();
            self.answer.push_str(&std::mem::take(&mut self.spaces));
            self.marks.extend(marks.into_iter().map(|mark| Mark { at: self.chars + mark.at - skipped, ..mark }));
            self.answer.push_str(visible);
            self.chars += visible.chars().count();
        }
        // Where a marker was taken out between two spaces, one stays.
        let spaces = &shown[visible.len()..];
        if !self.answer.is_empty() && (self.spaces.is_empty() || spaces.contains('\n')) {
            self.spaces.push_str(spaces);
        }
    }
}

/// A marker's number with what it is to bear out.
struct Claim<'a> {
    marker: usize,
    statement: &'a str,
    ground: &'a Ground,
}

/// One for each number that a passage has.
fn claims<'a>(markers: &'a [Marker], grounds: &'a [Ground]) -> Vec<Claim<'a>> {
    let of = |(marker, Marker { place: _, numbers, statement }): (usize, &'a Marker)| {
        let known = numbers.iter().filter_map(|number| grounds.iter().find(|ground| ground.number() == *number));
        known.map(move |ground| Claim { marker, statement, ground }).collect::<Vec<_>>()
    };
    markers.iter().enumerate().flat_map(of).collect()
}

/// Whether the first sentence says that the model does not know.
fn declines(sentence: &str) -> bool {
    let said = sentence.trim().to_lowercase();
    DECLINED.iter().any(|words| said.starts_with(words))
}
