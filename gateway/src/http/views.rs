//! The shapes of what the API answers, and the step from the inner types to them. Times are RFC 3339 in UTC.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ids::{DocumentId, JobId};
use crate::traits::{
    ingest::{Document, Hash, Job, JobItem, JobStatus, Metadata},
    place::{ChunkKind, Lines, Place},
    search::Match,
};

/// State of a job or of one of its files.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusView {
    Queued,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl From<JobStatus> for StatusView {
    fn from(status: JobStatus) -> Self {
        match status {
            JobStatus::Queued => Self::Queued,
            JobStatus::Running => Self::Running,
            JobStatus::Completed => Self::Completed,
            JobStatus::Failed => Self::Failed,
            JobStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// A job: the files of one upload on their way into the store.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct JobView {
    pub id: JobId,
    #[schema(example = "job")]
    pub object: String,
    /// `completed` once every file has ended and one at least succeeded; `failed` when all failed.
    pub status: StatusView,
    /// Files that have ended.
    pub done: u32,
    /// Files of the job.
    pub total: u32,
    /// Files that failed.
    pub failed: u32,
    /// Files that were cancelled.
    pub cancelled: u32,
    /// Passages of all files so far.
    pub chunks: u64,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// At most 1,000 files in the order they came; of more, those that failed are chosen first. `after` gives the next page.
    pub files: Vec<JobFileView>,
}

/// One file of a job.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct JobFileView {
    /// Rises from file to file of the job, from 1 on; `after` takes it.
    pub number: u64,
    /// The name under which the document is stored.
    #[schema(example = "handbook.pdf")]
    pub source: String,
    pub status: StatusView,
    /// Why it failed, or what it waits for.
    pub reason: Option<String>,
    /// The document, once it is stored.
    pub document_id: Option<DocumentId>,
    pub chunks_done: u32,
    /// Known once the file is cut.
    pub chunks_total: Option<u32>,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let Job { id, status, total, done, failed, cancelled, chunks, created_at, finished_at, items } = job;
        Self {
            id: JobId(id),
            object: "job".into(),
            status: status.into(),
            done,
            total,
            failed,
            cancelled,
            chunks,
            created_at,
            finished_at,
            files: items.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<JobItem> for JobFileView {
    fn from(item: JobItem) -> Self {
        let JobItem { number, source, status, reason, document_id, chunks_done, chunks_total } = item;
        let (status, document_id) = (status.into(), document_id.map(DocumentId));
        Self { number, source, status, reason, document_id, chunks_done, chunks_total }
    }
}

/// A stored document.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct DocumentView {
    pub id: DocumentId,
    #[schema(example = "document")]
    pub object: String,
    /// Its name; the same name again replaces it.
    #[schema(example = "handbook.pdf")]
    pub source: String,
    #[schema(example = "application/pdf")]
    pub content_type: String,
    pub title: Option<String>,
    #[schema(value_type = Object)]
    pub metadata: Metadata,
    pub size_bytes: u64,
    pub chunks: u32,
    /// It was cut with other settings (`chunking`) or for another version of the program; `POST /v1/documents/rechunk` mends it.
    pub stale: bool,
    /// The uploaded bytes are kept. Without them a stale document must be uploaded again.
    pub has_bytes: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl DocumentView {
    /// The document beside the fingerprint of how documents are cut now.
    pub(super) fn of(document: Document, chunking_now: &Hash) -> Self {
        let Document {
            id,
            source,
            content_type,
            title,
            metadata,
            size_bytes,
            chunks,
            chunking_fingerprint,
            has_bytes,
            created_at,
            updated_at,
        } = document;
        let stale = chunking_fingerprint != *chunking_now;
        let (id, object) = (DocumentId(id), "document".into());
        Self { id, object, source, content_type, title, metadata, size_bytes, chunks, stale, has_bytes, created_at, updated_at }
    }
}

/// Where a passage comes from.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct SourceView {
    pub document_id: DocumentId,
    #[schema(example = "handbook.pdf")]
    pub filename: String,
    #[schema(example = "application/pdf")]
    pub content_type: String,
    /// Number of the passage in its document, from 0.
    pub position: u32,
    /// Page or slide of its beginning, from 1, where the format has such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// The sheet of a spreadsheet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// The lines that it has of a text, where they can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<LinesView>,
    pub kind: KindView,
    /// The headings above it, outermost first.
    pub heading_path: Vec<String>,
    pub ingested_at: DateTime<Utc>,
}

/// Lines of a text, both included, from 1.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
pub struct LinesView {
    pub from: u32,
    pub to: u32,
}

/// What a passage is made of for the most part: a program, its comments, or anything else.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KindView {
    Code,
    Doc,
    Comment,
}

impl From<ChunkKind> for KindView {
    fn from(kind: ChunkKind) -> Self {
        match kind {
            ChunkKind::Code => Self::Code,
            ChunkKind::Doc => Self::Doc,
            ChunkKind::Comment => Self::Comment,
        }
    }
}

/// The figures behind a score.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct ScoresView {
    /// Cosine of question and passage, -1 to 1; null where the question has no vector.
    pub vector: Option<f32>,
    /// BM25 of the passage, 0 or more; null where no word occurs or none was looked for.
    pub lexical: Option<f32>,
}

/// A passage that was found.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct PassageView {
    /// How likely it is that the passage is relevant, 0 to 1; never rises along the list.
    #[schema(example = 0.87)]
    pub score: f32,
    /// Whether the score rests on measurements of the embedding model; false for models that Ragline does not know.
    pub calibrated: bool,
    pub scores: ScoresView,
    pub text: String,
    pub source: SourceView,
    /// The document's metadata with the passage's own on top.
    #[schema(value_type = Object)]
    pub metadata: Metadata,
}

impl From<Match> for PassageView {
    fn from(found: Match) -> Self {
        let Match {
            chunk_id: _,
            similarity,
            lexical,
            score,
            calibrated,
            text,
            tokens: _,
            position,
            heading_path,
            place: Place { page, sheet, lines },
            kind,
            metadata,
            document_id,
            file_id: _,
            filename,
            content_type,
            ingested_at,
        } = found;
        let document_id = DocumentId(document_id);
        Self {
            score: score.unwrap_or_default().clamp(0.0, 1.0),
            calibrated,
            scores: ScoresView { vector: similarity, lexical },
            text,
            source: SourceView {
                document_id,
                filename,
                content_type,
                position,
                page,
                sheet,
                lines: lines.map(|Lines { from, to }| LinesView { from, to }),
                kind: kind.into(),
                heading_path,
                ingested_at,
            },
            metadata,
        }
    }
}
