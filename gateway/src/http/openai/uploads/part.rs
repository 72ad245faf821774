//! The form of a part: one field, `data`.

use std::sync::Arc;

use axum::extract::Request;

use super::done;
use crate::{
    http::{
        error::{ApiError, ErrorCode},
        form::{self, Form},
        state::Parts,
    },
    ingest::upload::{StoredBlob, UploadError, Uploads},
    traits::{
        search::WorkspaceId,
        uploads::{Upload, UploadPart},
    },
};

/// Bytes of a part, as at OpenAI.
const MOST_PART_BYTES: u64 = 64 << 20;

/// Receives a part and keeps it.
pub(super) async fn receive(
    parts: &Parts,
    workspace: WorkspaceId,
    upload: &Upload,
    request: Request,
) -> Result<UploadPart, ApiError> {
    let mut form = Form::open(parts, request).await?;
    let mut uploads = Uploads::new(Arc::clone(&parts.blobs), workspace);
    let limit = MOST_PART_BYTES.min(upload.size_bytes);
    let StoredBlob { id, size_bytes, content_hash: _ } = match read(limit, &mut uploads, &mut form).await {
        Ok(blob) => blob,
        Err(error) => return Err(form.refuse(error)),
    };
    let part = done(parts.uploads.add_part(workspace, upload.id, id, size_bytes).await?)?;
    uploads.keep();
    Ok(part)
}

async fn read(limit: u64, uploads: &mut Uploads, form: &mut Form) -> Result<StoredBlob, ApiError> {
    let patience = form.patience;
    let mut data = None;
    while let Some(mut field) = form.next().await? {
        let name = field.name().unwrap_or_default().to_owned();
        if name != "data" {
            let message = format!("unknown field {name:?}; a part comes as `data`");
            return Err(ApiError::new(ErrorCode::UnknownField, message).of(name));
        }
        if data.is_some() {
            return Err(ApiError::new(ErrorCode::TooManyFiles, "one request brings one part").of("data"));
        }
        data = Some(form::keep(uploads, limit, &mut field, patience, &too_large(limit)).await?);
    }
    data.ok_or_else(|| ApiError::new(ErrorCode::MissingFile, "the form has no field `data`").of("data"))
}

fn too_large(limit: u64) -> impl Fn(UploadError) -> ApiError {
    move |error| match error {
        UploadError::TooLarge => {
            let message = format!("the part is larger than {limit} bytes, what a part or the whole upload may have");
            ApiError::new(ErrorCode::FileTooLarge, message).of("data")
        }
        UploadError::Store(error) => error.into(),
    }
}
