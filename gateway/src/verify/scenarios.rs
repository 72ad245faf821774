//! The five scenarios: the way of a document and of a question through the live pipeline. All see the temporary documents alone.

use std::time::Instant;

use ragline_config::SearchMode;
use uuid::Uuid;

use super::{
    Details,
    failure::{Failure, require},
    pipeline::Pipeline,
    report::{details, elapsed_ms, ms, similarity},
    texts::{AFTER, ANSWERABLE, BEFORE, FIRST, LIGHTHOUSE, PARAPHRASED, Question, TRAMWAY, TRAMWAY_CHANGED, Text, UNANSWERABLE},
};
use crate::{
    answer::{AnswerError, AnswerOutcome, AnswerRequest, SearchOutcome, SearchRequest},
    ingest::cut::CutChunk,
    traits::{
        generator::GenerateError,
        inspect::StoredChunk,
        search::{Match, WorkspaceId},
    },
};

/// Stored numbers have 11 bits: a vector and its stored self are this near at least.
const LEAST_SELF_SIMILARITY: f32 = 0.999;
/// Passages of one search.
const RESULTS: u32 = 3;

/// The serving gateway takes the documents in. What it stored is what the chunker cuts and the model embeds here.
pub(super) async fn chunking_and_embedding(pipeline: &mut Pipeline<'_>) -> Result<Details, Failure> {
    let parts = pipeline.parts;
    let workspace = parts.principal().await?.workspace;
    let begin = Instant::now();
    let documents = pipeline.take_in(workspace, &FIRST).await?;
    let ingest_ms = elapsed_ms(begin);
    let (mut chunks, mut windows) = (0, 0);
    for (text, document) in FIRST.iter().zip(documents) {
        let stored = parts.inspector.chunks(workspace, document).await?;
        let cut = cut(pipeline, text).await?;
        check_chunks(pipeline, text, &cut, &stored)?;
        chunks += stored.len();
        windows += check_vectors(pipeline, &cut, &stored).await?;
    }
    Ok(details([
        ("ingest_time_ms", ms(ingest_ms)),
        ("document_count", FIRST.len().into()),
        ("chunk_count", chunks.into()),
        ("embedding_count", windows.into()),
        ("dimensions", parts.embedder.dimensions().into()),
        ("model", parts.embedder.model_name().into()),
    ]))
}

async fn cut(pipeline: &Pipeline<'_>, text: &Text) -> Result<Vec<CutChunk>, Failure> {
    let (cutter, source, bytes) = (pipeline.parts.cutter.clone(), pipeline.source(text), text.text.as_bytes().to_vec());
    let cut = tokio::task::spawn_blocking(move || cutter.cut(bytes, &source, Some("text/markdown"))).await;
    Ok(cut.map_err(|_| Failure::Panicked)??.chunks)
}

/// The stored chunks are the cut ones, and of the configured size.
fn check_chunks(pipeline: &Pipeline<'_>, text: &Text, cut: &[CutChunk], stored: &[StoredChunk]) -> Result<(), Failure> {
    let chunking = &pipeline.parts.config.chunking;
    let name = text.name;
    let tokenizer = pipeline.parts.embedder.tokenizer();
    let total = tokenizer.count(text.text);
    require(stored.len() == cut.len(), || format!("{name} has {} chunks, {} were expected", stored.len(), cut.len()))?;
    require(stored.iter().zip(cut).all(|(s, c)| s.text == c.text), || {
        format!("the chunks of {name} are not the ones that were cut")
    })?;
    require((0..).zip(stored).all(|(n, chunk)| chunk.position == n), || format!("the chunks of {name} are not numbered from 0"))?;
    if let Some(large) = stored.iter().find(|chunk| chunk.tokens > chunking.max_tokens) {
        return Err(Failure::Wrong(format!(
            "a chunk of {name} has {} tokens, {} are allowed",
            large.tokens, chunking.max_tokens
        )));
    }
    let least = total.div_ceil(chunking.max_tokens.max(1) as usize);
    require(stored.len() >= least, || format!("{total} tokens of {name} are in {} chunks", stored.len()))
}

/// Every window has the vector that the model gives its text.
async fn check_vectors(pipeline: &Pipeline<'_>, cut: &[CutChunk], stored: &[StoredChunk]) -> Result<usize, Failure> {
    let parts = pipeline.parts;
    let texts: Vec<String> = cut.iter().flat_map(|chunk| chunk.windows.iter().cloned()).collect();
    // The model itself is asked, not what the serving gateway has left in the cache.
    parts.cache.find_nothing(true);
    let vectors = parts.embedder.embed_batch(&texts).await;
    parts.cache.find_nothing(false);
    let vectors = vectors?;
    let kept: Vec<&Vec<f32>> = stored.iter().flat_map(|chunk| &chunk.vectors).collect();
    require(kept.len() == texts.len(), || format!("{} vectors are stored for {} windows", kept.len(), texts.len()))?;
    for (fresh, kept) in vectors.iter().zip(kept) {
        let near = cosine(fresh, kept);
        require(near > LEAST_SELF_SIMILARITY, || format!("a stored vector is not the one of its text: cosine {near}"))?;
    }
    Ok(texts.len())
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    if a.len() == b.len() { dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f32::MIN_POSITIVE) } else { 0.0 }
}

/// The documents are listed with what they carry, and a stored vector leads back to its own chunk and text.
pub(super) async fn storage_and_retrieval(pipeline: &mut Pipeline<'_>) -> Result<Details, Failure> {
    let parts = pipeline.parts;
    let workspace = parts.principal().await?.workspace;
    let id = stored_document(pipeline, workspace, &LIGHTHOUSE).await?;
    let document = parts.documents.document(workspace, id).await?;
    let document = document.ok_or_else(|| Failure::Wrong("a stored document cannot be shown".to_owned()))?;
    require(document.metadata == pipeline.filter(), || format!("the metadata came back as {:?}", document.metadata))?;
    require(document.size_bytes == LIGHTHOUSE.text.len() as u64, || format!("{} bytes are stored", document.size_bytes))?;
    let chunks = parts.inspector.chunks(workspace, id).await?;
    require(chunks.len() == document.chunks as usize, || format!("{} of {} chunks are stored", chunks.len(), document.chunks))?;
    let begin = Instant::now();
    for chunk in &chunks {
        let vector = chunk.vectors.first().ok_or_else(|| Failure::Wrong(format!("chunk {} has no vector", chunk.position)))?;
        let filter = Some(pipeline.filter().into());
        let query = crate::traits::search::NearestQuery { workspace, vector: vector.clone(), limit: 1, filter };
        let found = parts.searcher.nearest(&query).await?;
        let best = found.matches.first();
        let is_own = |m: &Match| m.document_id == id && m.position == chunk.position && m.text == chunk.text;
        require(best.is_some_and(is_own), || format!("the vector of chunk {} leads to another", chunk.position))?;
    }
    let retrieval_ms = elapsed_ms(begin) / chunks.len().max(1) as f64;
    Ok(details([
        ("document_count", FIRST.len().into()),
        ("chunk_count", chunks.len().into()),
        ("size_bytes", document.size_bytes.into()),
        ("avg_retrieval_ms", ms(retrieval_ms)),
    ]))
}

/// The document of this run with this text.
async fn stored_document(pipeline: &Pipeline<'_>, workspace: WorkspaceId, text: &Text) -> Result<Uuid, Failure> {
    let found = pipeline.parts.inspector.documents_of(workspace, &pipeline.source(text), 0).await?;
    found.first().copied().ok_or_else(|| Failure::Wrong(format!("{} is not stored", text.name)))
}

/// Questions in other words find the passage with the answer.
pub(super) async fn semantic_search(pipeline: &mut Pipeline<'_>) -> Result<Details, Failure> {
    let mut similarities = Vec::new();
    let begin = Instant::now();
    for question in &PARAPHRASED {
        // By meaning alone: the questions share no word with the passages that answer them.
        let outcome = search(pipeline, Some(SearchMode::Vector), question.text).await?;
        let best = outcome.matches.first().ok_or_else(|| Failure::Wrong(format!("nothing is found for {:?}", question.text)))?;
        let source = pipeline.source(&question.answered_by);
        require(best.filename == source, || format!("{:?} finds {} first, not {source}", question.text, best.filename))?;
        let passages = outcome.matches.iter().filter(|m| m.filename == source);
        require(passages.clone().any(|m| tells(m, question)), || {
            format!("no passage that was found for {:?} says {:?}", question.text, question.fact)
        })?;
        similarities.push(f64::from(best.similarity.unwrap_or_default()));
    }
    let query_ms = elapsed_ms(begin) / PARAPHRASED.len() as f64;
    let average = similarities.iter().sum::<f64>() / similarities.len() as f64;
    Ok(details([
        ("question_count", PARAPHRASED.len().into()),
        ("query_time_ms", ms(query_ms)),
        ("top_similarity", similarity(similarities.iter().copied().fold(f64::MIN, f64::max))),
        ("avg_similarity", similarity(average)),
    ]))
}

/// An answer rests on the passages and cites them; without a passage that answers, it says that it does not know.
pub(super) async fn context_integration(pipeline: &mut Pipeline<'_>) -> Result<Details, Failure> {
    stored_document(pipeline, pipeline.parts.principal().await?.workspace, &LIGHTHOUSE).await?;
    let Some(outcome) = ask(pipeline, ANSWERABLE.text).await? else {
        return retrieve_only(pipeline, &ANSWERABLE).await;
    };
    check_answer(pipeline, &ANSWERABLE, &outcome)?;
    let unknown = ask(pipeline, UNANSWERABLE).await?;
    require(unknown.as_ref().is_none_or(|u| !u.grounded && u.citations.is_empty()), || {
        format!("{UNANSWERABLE:?} is answered from documents that do not say it")
    })?;
    Ok(details([
        ("citation_count", outcome.citations.len().into()),
        ("confidence", similarity(f64::from(outcome.confidence))),
        ("says_dont_know", true.into()),
        ("llm_time_ms", ms(outcome.llm_time_ms)),
        ("tokens_used", (outcome.usage.prompt_tokens + outcome.usage.completion_tokens).into()),
        ("model", outcome.model.into()),
    ]))
}

/// Asked, asked again from the cache, changed, asked anew, deleted, no longer found.
pub(super) async fn end_to_end(pipeline: &mut Pipeline<'_>) -> Result<Details, Failure> {
    let workspace = pipeline.parts.principal().await?.workspace;
    let document = stored_document(pipeline, workspace, &TRAMWAY).await?;
    let first = flow(pipeline, &BEFORE).await?;
    require(!first.cache_hit, || "a question that was never asked comes from the cache".to_owned())?;
    let again = flow(pipeline, &BEFORE).await?;
    let cached = pipeline.parts.valkey.is_some();
    require(again.cache_hit == cached, || {
        format!("asked again, the passages come {} the cache", if cached { "not from" } else { "from" })
    })?;
    let replaced = pipeline.take_in(workspace, &[TRAMWAY_CHANGED]).await?;
    require(replaced == [document], || "the same source again became another document".to_owned())?;
    let stored = pipeline.parts.inspector.chunks(workspace, document).await?;
    check_vectors(pipeline, &cut(pipeline, &TRAMWAY_CHANGED).await?, &stored).await?;
    let changed = flow(pipeline, &AFTER).await?;
    require(!changed.cache_hit, || "after a change of the document the old passages come from the cache".to_owned())?;
    require(pipeline.parts.documents.delete(workspace, document).await?, || "the document cannot be deleted".to_owned())?;
    let left = search(pipeline, None, AFTER.text).await?;
    require(left.matches.iter().all(|m| m.document_id != document), || "a deleted document is still found".to_owned())?;
    Ok(details([
        ("cache_miss_ms", ms(first.total_ms)),
        ("cache_hit_ms", ms(again.total_ms)),
        ("cache_hit", again.cache_hit.into()),
        ("replaced", true.into()),
        ("deleted", true.into()),
    ]))
}

/// One question through the whole flow.
struct Flow {
    cache_hit: bool,
    total_ms: f64,
}

async fn flow(pipeline: &Pipeline<'_>, question: &Question) -> Result<Flow, Failure> {
    let begin = Instant::now();
    let cache_hit = match ask(pipeline, question.text).await? {
        Some(outcome) => {
            check_answer(pipeline, question, &outcome)?;
            outcome.cache_hit
        }
        None => {
            let outcome = search(pipeline, None, question.text).await?;
            require(outcome.matches.iter().any(|m| tells(m, question)), || format!("no passage says {:?}", question.fact))?;
            outcome.cache_hit
        }
    };
    Ok(Flow { cache_hit, total_ms: elapsed_ms(begin) })
}

/// It cites a passage of the right document that says the fact, and every marker has its passage.
fn check_answer(pipeline: &Pipeline<'_>, question: &Question, outcome: &AnswerOutcome) -> Result<(), Failure> {
    let asked = question.text;
    require(outcome.grounded && !outcome.citations.is_empty(), || {
        format!("{asked:?} is not answered, though a document says it")
    })?;
    let own = pipeline.source(&question.answered_by);
    let right = outcome.citations.iter().any(|c| c.source.filename == own && tells(&c.source, question));
    require(right, || format!("no passage that the answer to {asked:?} cites says {:?}", question.fact))?;
    let unmarked = outcome.citations.iter().find(|c| !outcome.answer.contains(&c.number.to_string()));
    require(unmarked.is_none(), || format!("a citation of the answer to {asked:?} has no marker in the text"))
}

/// Generation is switched off: the passages are all there is to check.
async fn retrieve_only(pipeline: &Pipeline<'_>, question: &Question) -> Result<Details, Failure> {
    let outcome = search(pipeline, None, question.text).await?;
    require(outcome.matches.iter().any(|m| tells(m, question)), || format!("no passage says {:?}", question.fact))?;
    Ok(details([("generation", "disabled".into()), ("result_count", outcome.matches.len().into())]))
}

/// Whether the passage says the fact. The text may be broken into other lines than the source.
fn tells(found: &Match, question: &Question) -> bool {
    found.text.split_whitespace().collect::<Vec<_>>().join(" ").contains(question.fact)
}

async fn search(pipeline: &Pipeline<'_>, mode: Option<SearchMode>, query: &str) -> Result<SearchOutcome, Failure> {
    let principal = pipeline.parts.principal().await?;
    let filter = Some(pipeline.filter());
    let request = SearchRequest {
        query: query.to_owned(),
        limit: Some(RESULTS),
        mode,
        filter: filter.map(Into::into),
        ..SearchRequest::default()
    };
    Ok(pipeline.parts.answerer.search(&principal, &request).await?)
}

/// `None` where generation is switched off.
async fn ask(pipeline: &Pipeline<'_>, question: &str) -> Result<Option<AnswerOutcome>, Failure> {
    let principal = pipeline.parts.principal().await?;
    let request =
        AnswerRequest { question: question.to_owned(), filter: Some(pipeline.filter().into()), ..AnswerRequest::default() };
    match pipeline.parts.answerer.answer(&principal, &request).await {
        Ok(outcome) => Ok(Some(outcome)),
        Err(AnswerError::Generate(GenerateError::Disabled)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
