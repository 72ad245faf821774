//! The temporary documents of a verification: taken in through the queue by the serving gateway, and removed with everything that
//! they brought.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::{
    VerifyParts,
    failure::{Failure, require},
    texts::Text,
};
use crate::{
    ingest::upload::Uploads,
    traits::{
        ingest::{Job, JobStatus, Metadata, NewItem},
        search::WorkspaceId,
    },
};

/// The beginning of every source; what carries it an hour later is the rest of a verification that was killed.
const PREFIX: &str = "ragline-verify/";
const LEFT_OVER_AFTER_SECONDS: u32 = 3_600;
const CONTENT_TYPE: &str = "text/markdown";
/// How long to wait between two looks at a job when nothing is heard of it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A gateway that serves takes a file out of an idle queue at once.
const UNTOUCHED_FOR: Duration = Duration::from_secs(90);

/// The documents of one run.
#[derive(Debug)]
pub(super) struct Pipeline<'a> {
    pub(super) parts: &'a VerifyParts,
    run: Uuid,
    blobs: Vec<Uuid>,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(parts: &'a VerifyParts) -> Self {
        Self { parts, run: Uuid::new_v4(), blobs: Vec::new() }
    }

    /// Metadata of every document of this run, and the filter that finds these alone.
    pub(super) fn filter(&self) -> Metadata {
        [("ragline_verify".to_owned(), self.run.to_string().into())].into_iter().collect()
    }

    pub(super) fn source(&self, text: &Text) -> String {
        format!("{PREFIX}{}/{}", self.run, text.name)
    }

    /// Takes the texts in and waits until they can be searched. Gives the documents in their order.
    pub(super) async fn take_in(&mut self, workspace: WorkspaceId, texts: &[Text]) -> Result<Vec<Uuid>, Failure> {
        let parts = self.parts;
        let mut uploads = Uploads::new(parts.blobs.clone(), workspace);
        let mut items = Vec::with_capacity(texts.len());
        for text in texts {
            let mut writer = uploads.begin(parts.config.limits.file_bytes).await?;
            writer.write(Bytes::from_static(text.text.as_bytes())).await?;
            let stored = writer.finish().await?;
            self.blobs.push(stored.id);
            items.push(NewItem {
                source: self.source(text),
                content_type: Some(CONTENT_TYPE.to_owned()),
                metadata: self.filter(),
                blob: stored.id,
                size_bytes: stored.size_bytes,
                content_hash: stored.content_hash,
            });
        }
        let job = parts.jobs.create(workspace, items).await?;
        uploads.keep();
        documents(&self.ended(workspace, job).await?)
    }

    /// The job once it has ended.
    async fn ended(&self, workspace: WorkspaceId, id: Uuid) -> Result<Job, Failure> {
        let begin = tokio::time::Instant::now();
        loop {
            let job = self.parts.jobs.job(workspace, id).await?;
            let job = job.ok_or_else(|| Failure::Wrong("the job of the temporary documents is gone".to_owned()))?;
            match job.status {
                JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => return Ok(job),
                JobStatus::Queued => require(begin.elapsed() < UNTOUCHED_FOR, || {
                    format!(
                        "no gateway has taken the files in for {} s: is one serving, and is its queue short?",
                        UNTOUCHED_FOR.as_secs()
                    )
                })?,
                JobStatus::Running => {}
            }
            self.parts.jobs.wait_for_work(LOOK_AGAIN).await;
        }
    }

    /// Removes what this run has left, and what killed runs left before it.
    pub(super) async fn clean_up(&mut self) -> Result<(), Failure> {
        let workspace = self.parts.principal().await?.workspace;
        let own = format!("{PREFIX}{}/", self.run);
        self.remove(workspace, &own, 0).await?;
        self.remove(workspace, PREFIX, LEFT_OVER_AFTER_SECONDS).await?;
        for blob in std::mem::take(&mut self.blobs) {
            self.parts.blobs.remove(workspace, blob).await?;
        }
        if let Some(valkey) = &self.parts.valkey {
            // A Valkey that is down has nothing to be removed from; a test has said so already.
            self.parts.cache.forget(valkey).await;
        }
        Ok(())
    }

    /// Jobs first: a file that is just being published ends before its document is looked for.
    async fn remove(&self, workspace: WorkspaceId, prefix: &str, older_than_seconds: u32) -> Result<(), Failure> {
        let inspector = &self.parts.inspector;
        inspector.forget_jobs(workspace, prefix, older_than_seconds).await?;
        for document in inspector.documents_of(workspace, prefix, older_than_seconds).await? {
            self.parts.documents.delete(workspace, document).await?;
        }
        Ok(())
    }
}

/// The documents of a job in the order of its files.
fn documents(job: &Job) -> Result<Vec<Uuid>, Failure> {
    job.items
        .iter()
        .map(|item| {
            let reason =
                || format!("{} was not taken in: {}", item.source, item.reason.as_deref().unwrap_or("no reason is given"));
            item.document_id.filter(|_| item.status == JobStatus::Completed).ok_or_else(|| Failure::Wrong(reason()))
        })
        .collect()
}
