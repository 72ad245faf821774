//! `eval DIR --url URL`: the evaluation through a running gateway, in a workspace that it makes with the administrator's key and
//! works in with a key of that workspace.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use ragline_config::SearchMode;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    ConnectionArgs,
    api::{Api, Refusal},
};
use crate::{
    eval::{
        EvalError, Found, IndexRecall, Target, Told,
        dataset::Question,
        target::{DEPTH, Hit, distinct, place, source, word},
    },
    http::{
        documents::UploadView,
        ids::JobId,
        search::SearchView,
        views::{JobView, ScoresView, StatusView},
    },
};

/// The beginning of the workspaces' names; 32 hex digits follow, which nobody chooses by accident.
const PREFIX: &str = "ragline-eval-";
/// A workspace that is older is the rest of an evaluation that was killed.
const LEFT_OVER_AFTER: TimeDelta = TimeDelta::hours(24);
/// Documents of one upload.
const DOCUMENTS_AT_ONCE: usize = 50;
/// Between two looks at a job.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Tries of a request while the gateway has no room, and the wait between them when it names none.
const TRIES: u32 = 20;
const WAIT: Duration = Duration::from_secs(1);
const MOST_WAIT: Duration = Duration::from_secs(30);

/// A running gateway.
#[derive(Debug)]
pub struct Remote {
    connection: ConnectionArgs,
    admin: Api,
    /// With the key of the workspace, once there is one.
    inside: Option<Api>,
    workspace: String,
}

impl Remote {
    /// Nothing is sent yet.
    pub(super) fn new(connection: ConnectionArgs) -> anyhow::Result<Self> {
        let admin = Api::open(&connection)?;
        let workspace = format!("{PREFIX}{}", Uuid::new_v4().simple());
        Ok(Self { connection, admin, inside: None, workspace })
    }

    fn inside(&self) -> anyhow::Result<&Api> {
        self.inside.as_ref().context("there is no workspace yet")
    }

    async fn make_workspace(&mut self) -> anyhow::Result<()> {
        self.remove_left_over().await?;
        let name = &self.workspace;
        self.admin.send::<Value>(self.admin.post("v1/workspaces").json(&json!({"name": name}))).await?;
        let wanted = json!({"name": "evaluation", "scope": "write"});
        let made: Value = self.admin.send(self.admin.post(&format!("v1/workspaces/{name}/keys")).json(&wanted)).await?;
        let key = made["key"].as_str().context("the gateway gave no key")?.to_owned();
        self.inside = Some(Api::open(&ConnectionArgs { key: Some(key), key_file: None, ..self.connection.clone() })?);
        Ok(())
    }

    /// What killed evaluations left behind; the names come in order, and a hundred of them are looked at.
    async fn remove_left_over(&self) -> anyhow::Result<()> {
        let page: Value = self.admin.send(self.admin.get("v1/workspaces?after=ragline-eval&limit=100")).await?;
        for workspace in page["data"].as_array().into_iter().flatten() {
            let (Some(name), Some(made)) = (workspace["name"].as_str(), workspace["created_at"].as_str()) else { continue };
            let age = Utc::now() - made.parse::<DateTime<Utc>>().context("the gateway's times cannot be read")?;
            if is_evaluation(name) && age > LEFT_OVER_AFTER {
                self.delete(name).await?;
            }
        }
        Ok(())
    }

    /// Deletes a workspace. One that is not there is no error.
    async fn delete(&self, name: &str) -> anyhow::Result<()> {
        match self.admin.send::<Value>(self.admin.delete(&format!("v1/workspaces/{name}"))).await {
            Err(error) if !is_absent(&error) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// One upload's worth.
    async fn hand_over(&self, first: usize, documents: &[String]) -> anyhow::Result<JobView> {
        let api = self.inside()?;
        let mut tries = 1;
        let job = loop {
            let mut form = Form::new();
            for (place, text) in (first..).zip(documents).filter(|(_, text)| !text.trim().is_empty()) {
                let part = Part::text(text.clone()).file_name(source(place)).mime_str("text/plain")?;
                form = form.part("file", part);
            }
            match api.send::<UploadView>(api.post("v1/documents").multipart(form)).await {
                Ok(answer) => break answer.job.id,
                Err(error) => wait_for_room(error, &mut tries).await?,
            }
        };
        self.ended(job).await
    }

    async fn ended(&self, job: JobId) -> anyhow::Result<JobView> {
        let api = self.inside()?;
        let mut tries = 1;
        loop {
            match api.send::<JobView>(api.get(&format!("v1/jobs/{job}"))).await {
                Ok(view) if !matches!(view.status, StatusView::Queued | StatusView::Running) => return Ok(view),
                Ok(_) => tokio::time::sleep(LOOK_EVERY).await,
                Err(error) => wait_for_room(error, &mut tries).await?,
            }
        }
    }

    async fn ask(&self, mode: SearchMode, question: &str) -> anyhow::Result<Found> {
        let api = self.inside()?;
        let body = json!({"query": question, "limit": DEPTH, "mode": word(mode)});
        let view: SearchView = api.send(api.post("v1/search").json(&body)).await?;
        let hits = view.data.iter().filter_map(|passage| {
            let ScoresView { vector, lexical } = passage.scores;
            Some(Hit { place: place(&passage.source.filename)?, score: passage.score, similarity: vector, lexical })
        });
        let by_words = view.data.iter().any(|passage| passage.scores.lexical.is_some());
        Ok(Found { hits: distinct(hits), by_words })
    }
}

/// Waits when the gateway is full for now; any other refusal is the end.
async fn wait_for_room(error: anyhow::Error, tries: &mut u32) -> anyhow::Result<()> {
    let Some(refusal) = error.downcast_ref::<Refusal>() else { return Err(error) };
    if !matches!(refusal.status.as_u16(), 429 | 503) || *tries >= TRIES {
        return Err(error);
    }
    *tries += 1;
    tokio::time::sleep(refusal.retry_after.unwrap_or(WAIT).min(MOST_WAIT)).await;
    Ok(())
}

#[async_trait]
impl Target for Remote {
    async fn open(&mut self) -> Result<(), EvalError> {
        self.make_workspace().await.map_err(EvalError::failed("making of the workspace"))
    }

    async fn take_in(&mut self, documents: &[String], more: Told<'_>) -> Result<(), EvalError> {
        for (number, some) in documents.chunks(DOCUMENTS_AT_ONCE).enumerate() {
            if some.iter().all(|text| text.trim().is_empty()) {
                continue;
            }
            let job = self.hand_over(number * DOCUMENTS_AT_ONCE, some).await.map_err(EvalError::failed("taking in"))?;
            if let Some(file) = job.files.iter().find(|file| file.status != StatusView::Completed) {
                let place = place(&file.source).unwrap_or_default();
                let reason = file.reason.clone().unwrap_or_else(|| "no reason is given".to_owned());
                return Err(EvalError::NotTakenIn { place, reason });
            }
            more(some.len());
        }
        Ok(())
    }

    async fn search(&self, mode: SearchMode, question: &str) -> Result<Found, EvalError> {
        self.ask(mode, question).await.map_err(EvalError::failed("search"))
    }

    /// The API does not let anybody choose how the rows are found.
    async fn index_recall(&mut self, _questions: &[Question]) -> Result<Option<IndexRecall>, EvalError> {
        Ok(None)
    }

    async fn remove(&mut self) -> Result<(), EvalError> {
        let name = &self.workspace;
        self.delete(name).await.map_err(|source| EvalError::NotRemoved { name: name.clone(), source })
    }
}

/// Whether only an evaluation can have made a workspace of this name.
fn is_evaluation(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether there was nothing to remove.
fn is_absent(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.status.as_u16() == 404)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_somebody_chose_is_no_evaluation() {
        assert!(is_evaluation(&format!("{PREFIX}{}", Uuid::new_v4().simple())));
        for name in ["ragline-eval-of-mine", "default", "ragline-eval-"] {
            assert!(!is_evaluation(name), "{name}");
        }
    }
}
