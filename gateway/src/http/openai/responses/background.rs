//! Responses that are written while nobody waits. Each counts among the requests under way, has a request's deadline, and is waited for
//! when the gateway ends.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use tokio::time::{sleep, timeout};
use tracing::Instrument;

use super::{
    collect,
    draft::{Draft, Keeping},
};
use crate::{
    answer::AnswerRequest,
    http::{
        error::{ApiError, ErrorCode},
        guard::{self, Permit},
        ids::ResponseId,
        observe,
        state::ApiState,
    },
    traits::search::{Principal, StoreError},
};

/// How often it is looked whether somebody cancelled it, by whichever gateway.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Before each further try to keep what was written, which nobody writes again. All of them end before a response counts as given up.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];

/// Begins to write, and answers with the response as it is.
pub(super) async fn begin(
    state: Arc<ApiState>,
    principal: Arc<Principal>,
    request: AnswerRequest,
    draft: Draft,
    keeping: Keeping,
) -> Result<Response, ApiError> {
    if state.parts.shutdown.is_cancelled() {
        return Err(ApiError::new(ErrorCode::ShuttingDown, "the gateway is ending; ask again"));
    }
    let permit = Permit::take(&state)?;
    keeping.keep(&draft).await?;
    let response = Json(&draft.view).into_response();
    let tasks = state.background.tasks.clone();
    tasks.spawn(write(state, principal, request, draft, keeping, permit).in_current_span());
    Ok(response)
}

async fn write(
    state: Arc<ApiState>,
    principal: Arc<Principal>,
    request: AnswerRequest,
    mut draft: Draft,
    keeping: Keeping,
    permit: Permit,
) {
    let limit = state.request_timeout();
    let (id, kept) = (draft.view.id, keeping.clone());
    let written = async {
        let parts = state.parts.answering.stream(&principal, request).await?;
        collect(&mut draft, parts).await
    };
    let ended = tokio::select! {
        written = timeout(limit, written) => written.unwrap_or_else(|_| Err(guard::timed_out(limit))),
        () = cancelled(&kept, id) => return,
        () = state.background.overdue.cancelled() => Err(ApiError::new(ErrorCode::ShuttingDown, "the gateway ended; ask again")),
    };
    if let Err(error) = ended {
        observe::log_broken(&error);
        draft.fail(&error);
    }
    // One that was cancelled in the last moment stays so.
    let mut end = keeping.end(&draft).await;
    drop(permit);
    for pause in PAUSES {
        if !end.as_ref().is_err_and(StoreError::is_transient) {
            break;
        }
        sleep(pause).await;
        end = keeping.end(&draft).await;
    }
    if let Err(error) = end {
        observe::log_broken(&error.into());
    }
}

/// Resolves once nobody waits for the response any more. A store that does not answer is asked again.
async fn cancelled(keeping: &Keeping, id: ResponseId) {
    loop {
        sleep(LOOK_EVERY).await;
        if let Ok(false) = keeping.is_open(id).await {
            return;
        }
    }
}
