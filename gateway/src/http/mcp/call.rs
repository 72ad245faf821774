//! What the tools do: the same as `/v1/search`, `/v1/documents` and `/v1/answers`, shaped as models and connectors want it: `search` and
//! `fetch` as OpenAI's connectors call them, with more beside.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    answer::{AnswerOutcome, Citation},
    http::{
        answers, body,
        error::ApiError,
        ids::{DocumentId, PublicId},
        search,
        state::ApiState,
    },
    ingest::joined::join,
    traits::{
        ingest::{Document, Metadata},
        search::{Match, Principal},
    },
};

/// Bytes of text of one `fetch`, but for the last passage: some 25,000 tokens.
const MOST_TEXT_BYTES: usize = 100_000;
/// Passages that are read at once.
const PASSAGES: u32 = 32;

/// A tool.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Search,
    Fetch,
    Ask,
}

impl Call {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "search" => Some(Self::Search),
            "fetch" => Some(Self::Fetch),
            "ask" => Some(Self::Ask),
            _ => None,
        }
    }
}

/// The tool's result, or why there is none, for the model that called.
pub(super) async fn run(state: &ApiState, principal: &Principal, call: Call, arguments: &Value) -> Result<Value, String> {
    let done = match call {
        Call::Search => find(state, principal, arguments).await,
        Call::Fetch => fetch(state, principal, arguments).await,
        Call::Ask => ask(state, principal, arguments).await,
    };
    done.map_err(|error| {
        let code = error.code.word();
        if error.code.status().is_server_error() {
            let cause = error.cause.as_ref().map(tracing::field::display);
            tracing::error!(error.code = %code, error.cause = cause, "the tool {call:?} failed with {code}");
        }
        format!("{} ({code})", error.message)
    })
}

#[derive(Serialize)]
struct Found {
    id: DocumentId,
    title: String,
    url: String,
    score: f32,
    passages: Vec<Passage>,
}

#[derive(Serialize)]
struct Passage {
    text: String,
    score: f32,
    position: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
    heading_path: Vec<String>,
}

async fn find(state: &ApiState, principal: &Principal, arguments: &Value) -> Result<Value, ApiError> {
    let request = search::checked(parsed(arguments)?)?;
    let outcome = state.parts.answering.search(principal, request).await?;
    Ok(json!({"results": by_document(outcome.matches.into_vec())}))
}

/// The documents in the order of their best passages.
fn by_document(matches: Vec<Match>) -> Vec<Found> {
    let mut results: Vec<Found> = Vec::new();
    for found in matches {
        let id = DocumentId(found.document_id);
        let score = found.score.unwrap_or_default().clamp(0.0, 1.0);
        let at = results.iter().position(|result| result.id == id).unwrap_or_else(|| {
            let (title, url) = (title(None, &found.metadata, &found.filename), url(id, &found.metadata, &found.filename));
            results.push(Found { id, title, url, score, passages: Vec::new() });
            results.len() - 1
        });
        let Match { text, position, place, heading_path, .. } = found;
        results[at].passages.push(Passage { text, score, position, page: place.page, heading_path });
    }
    results
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FetchArguments {
    id: String,
    from: Option<u32>,
}

async fn fetch(state: &ApiState, principal: &Principal, arguments: &Value) -> Result<Value, ApiError> {
    let FetchArguments { id, from } = parsed(arguments)?;
    let id: DocumentId = id.parse().map_err(|_| DocumentId::unknown())?;
    let document = state.parts.documents.document(principal.workspace, id.0).await?.ok_or_else(DocumentId::unknown)?;
    let (text, next) = read(state, principal, id.0, from.unwrap_or_default()).await?;
    let Document { source, content_type, title: own_title, metadata, .. } = document;
    let (title, url) = (title(own_title.as_deref(), &metadata, &source), url(id, &metadata, &source));
    let mut about = json!({"source": source, "content_type": content_type, "passages": document.chunks});
    if let Value::Object(about) = &mut about {
        about.extend(metadata);
    }
    Ok(json!({"id": id, "title": title, "text": text, "url": url, "metadata": about, "next": next}))
}

/// The text from a passage on, and the passage that comes after it, if there is one.
async fn read(state: &ApiState, principal: &Principal, document: Uuid, from: u32) -> Result<(String, Option<u32>), ApiError> {
    let (mut text, mut before, mut next) = (String::new(), None::<String>, from);
    loop {
        let passages = state.parts.passages.texts(principal.workspace, document, next, PASSAGES).await?;
        let are_last = passages.len() < PASSAGES as usize;
        for passage in passages {
            if !text.is_empty() && text.len() + passage.len() > MOST_TEXT_BYTES {
                return Ok((text, Some(next)));
            }
            match &before {
                Some(before) => join(&mut text, before, &passage),
                None => text.push_str(&passage),
            }
            before = Some(passage);
            next = next.saturating_add(1);
        }
        if are_last {
            return Ok((text, None));
        }
    }
}

#[derive(Serialize)]
struct Cited {
    number: u32,
    id: DocumentId,
    title: String,
    url: String,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
}

async fn ask(state: &ApiState, principal: &Principal, arguments: &Value) -> Result<Value, ApiError> {
    let request = answers::checked(parsed(arguments)?)?;
    let AnswerOutcome { answer, citations, grounded, confidence, .. } = state.parts.answering.answer(principal, request).await?;
    let citations: Vec<Cited> = citations.into_iter().map(cited).collect();
    Ok(json!({"answer": answer, "grounded": grounded, "confidence": confidence, "citations": citations}))
}

fn cited(Citation { number, source }: Citation) -> Cited {
    let id = DocumentId(source.document_id);
    let (title, url) = (title(None, &source.metadata, &source.filename), url(id, &source.metadata, &source.filename));
    Cited { number, id, title, url, text: source.text, page: source.place.page }
}

fn parsed<T: DeserializeOwned>(arguments: &Value) -> Result<T, ApiError> {
    body::parse(arguments.to_string().as_bytes())
}

fn title(own: Option<&str>, metadata: &Metadata, source: &str) -> String {
    let given = metadata.get("title").and_then(Value::as_str);
    given.or(own).filter(|title| !title.trim().is_empty()).unwrap_or(source).to_owned()
}

/// Where a person finds the document: `url` of its metadata or its name, where one is a web address; else a name that stays the same.
fn url(id: DocumentId, metadata: &Metadata, source: &str) -> String {
    let is_web = |text: &&str| text.starts_with("https://") || text.starts_with("http://");
    let given = metadata.get("url").and_then(Value::as_str).filter(is_web);
    given.or(Some(source).filter(is_web)).map_or_else(|| format!("ragline://documents/{id}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::fixtures::found;

    #[test]
    fn passages_of_a_document_come_together() {
        let passage = |document, position| Match { document_id: Uuid::from_u128(document), position, ..found("a") };
        let results = by_document(vec![passage(1, 3), passage(2, 0), passage(1, 9)]);
        let shape: Vec<_> =
            results.iter().map(|one| (one.id.0.as_u128(), one.passages.iter().map(|p| p.position).collect())).collect();
        assert_eq!(shape, [(1, vec![3, 9]), (2, vec![0])]);
    }

    #[test]
    fn the_address_is_the_documents_own_where_it_has_one() {
        let id = DocumentId(Uuid::nil());
        let metadata = |url: &str| Metadata::from_iter([("url".to_owned(), Value::from(url))]);
        assert_eq!(url(id, &metadata("https://a.example/b"), "c.pdf"), "https://a.example/b");
        assert_eq!(url(id, &metadata("javascript:alert(1)"), "http://a.example/c"), "http://a.example/c");
        assert_eq!(url(id, &Metadata::new(), "c.pdf"), "ragline://documents/doc_00000000-0000-0000-0000-000000000000");
    }
}
