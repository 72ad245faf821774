//! `POST /v1/uploads/{id}/complete`: the parts become a file.

use std::{collections::HashSet, sync::Arc};

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{PartedUploadView, closed, done};
use crate::{
    http::{
        body::JsonBody,
        error::{ApiError, ErrorBody},
        ids::{PartId, PublicId, UploadId},
        params::{Caller, PathId},
        state::ApiState,
    },
    ingest::digest::{Digests, digests},
    traits::uploads::{MOST_PARTS, Taken, UploadStatus},
};

/// Which parts make the file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"part_ids": ["part_0198f2a4-c157-7399-8819-b392807f6e5d"]}))]
pub(crate) struct CompletionOfUploadBody {
    /// The parts in the order of the file; together they must have the bytes that were announced. Others are removed.
    part_ids: Vec<String>,
    /// The MD5 of the file as 32 hexadecimal digits; another one is refused.
    md5: Option<String>,
}

/// Makes the parts a file. One that is completed already is shown as it is, so that a call whose answer was lost can be made again.
#[utoipa::path(post, path = "/v1/uploads/{id}/complete", tag = "openai", operation_id = "complete_upload", params(("id" = UploadId, Path)),
    request_body = CompletionOfUploadBody,
    responses((status = 200, body = PartedUploadView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn complete(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<UploadId>,
    JsonBody(body): JsonBody<CompletionOfUploadBody>,
) -> Result<Json<PartedUploadView>, ApiError> {
    let CompletionOfUploadBody { part_ids, md5 } = body;
    let (workspace, store) = (principal.workspace, &state.parts.uploads);
    let upload = store.upload(workspace, id.0).await?.ok_or_else(UploadId::unknown)?;
    match upload.status {
        UploadStatus::Pending => {}
        UploadStatus::Completed => return Ok(Json(upload.into())),
        status @ (UploadStatus::Cancelled | UploadStatus::Expired) => return Err(closed(status)),
    }
    let (ids, md5) = (ids(&part_ids)?, md5.map(|text| read_md5(&text)).transpose()?);
    let parts = store.parts(workspace, id.0, &ids).await?;
    if parts.len() != ids.len() {
        return done(Taken::NoPart);
    }
    let bytes: u64 = parts.iter().map(|part| part.size_bytes).sum();
    if bytes != upload.size_bytes {
        let message = format!("the parts have {bytes} bytes together; the upload was to have {}", upload.size_bytes);
        return Err(ApiError::invalid("part_ids", message));
    }
    let blobs: Vec<Uuid> = parts.iter().map(|part| part.blob).collect();
    let Digests { sha256, md5: found } = digests(state.parts.blobs.as_ref(), workspace, &blobs).await?;
    if md5.is_some_and(|wanted| wanted != found) {
        let message = format!("the parts have the MD5 {}, not this one", hex::encode(found));
        return Err(ApiError::invalid("md5", message));
    }
    let completed = match store.complete_upload(workspace, id.0, &ids, sha256).await? {
        // Somebody else was quicker with the same.
        Taken::Closed(UploadStatus::Completed) => store.upload(workspace, id.0).await?.ok_or_else(UploadId::unknown)?,
        taken => done(taken)?,
    };
    Ok(Json(completed.into()))
}

fn ids(texts: &[String]) -> Result<Vec<Uuid>, ApiError> {
    let invalid = |message: String| ApiError::invalid("part_ids", message);
    if texts.is_empty() || texts.len() > MOST_PARTS as usize {
        return Err(invalid(format!("part_ids has {} parts; it must have 1 to {MOST_PARTS}", texts.len())));
    }
    let read = |text: &String| text.parse::<PartId>().map(|id| id.0);
    let Ok(ids) = texts.iter().map(read).collect::<Result<Vec<Uuid>, _>>() else { return done(Taken::NoPart) };
    let mut seen = HashSet::new();
    match ids.iter().position(|id| !seen.insert(id)) {
        Some(twice) => Err(invalid(format!("part_ids[{twice}] is there twice"))),
        None => Ok(ids),
    }
}

fn read_md5(text: &str) -> Result<[u8; 16], ApiError> {
    let mut bytes = [0; 16];
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(ApiError::invalid("md5", "md5 must be 32 hexadecimal digits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_once_each() {
        let id = |number| PartId(Uuid::from_u128(number)).to_string();
        assert_eq!(ids(&[id(1), id(2)]).unwrap(), [Uuid::from_u128(1), Uuid::from_u128(2)]);
        for wrong in [vec![], vec![id(1), id(1)], vec!["part_x".to_owned()], vec![id(1); 1_001]] {
            assert_eq!(ids(&wrong).unwrap_err().param.as_deref(), Some("part_ids"));
        }
    }

    #[test]
    fn an_md5_has_32_digits() {
        assert_eq!(read_md5("D41D8CD98F00B204E9800998ECF8427E").unwrap()[..2], [0xd4, 0x1d]);
        for wrong in ["", "d4", "1B2M2Y8AsgTpgAmY7PhCfg=="] {
            assert!(read_md5(wrong).is_err(), "{wrong}");
        }
    }
}
