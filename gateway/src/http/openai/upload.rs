//! The form of `POST /v1/files`.

use std::sync::Arc;

use axum::extract::Request;

use crate::{
    http::{
        error::{ApiError, ErrorCode},
        form::{self, File, Form, file_of, store},
        state::Parts,
    },
    ingest::upload::{StoredBlob, Uploads},
    traits::{
        files::{NewFile, StoredFile},
        search::WorkspaceId,
    },
};

/// What a file may be for. There are no batches and no training here, so a file for those would lie about idly.
const PURPOSES: [&str; 2] = ["assistants", "user_data"];
/// Seconds that a file may be kept for.
const SECONDS: std::ops::RangeInclusive<u32> = 3_600..=2_592_000;
/// Bytes of a field that is no file.
const MOST_FIELD_BYTES: usize = 256;

#[derive(Default)]
struct Fields {
    file: Option<(File, StoredBlob)>,
    purpose: Option<String>,
    anchor: Option<String>,
    seconds: Option<u32>,
}

/// Receives an upload and keeps it.
pub(super) async fn receive(parts: &Parts, workspace: WorkspaceId, request: Request) -> Result<StoredFile, ApiError> {
    let mut form = Form::open(parts, request).await?;
    let mut uploads = Uploads::new(Arc::clone(&parts.blobs), workspace);
    let fields = match read(parts, &mut uploads, &mut form).await {
        Ok(fields) => fields,
        Err(error) => return Err(form.refuse(error)),
    };
    let stored = parts.files.create_file(workspace, new_file(fields)?).await?;
    uploads.keep();
    Ok(stored)
}

async fn read(parts: &Parts, uploads: &mut Uploads, form: &mut Form) -> Result<Fields, ApiError> {
    let patience = form.patience;
    let mut fields = Fields::default();
    while let Some(mut field) = form.next().await? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            if fields.file.is_some() {
                return Err(ApiError::new(ErrorCode::TooManyFiles, "one request keeps one file").of("file"));
            }
            let file = file_of(&field)?;
            let blob = store(parts, uploads, &file.source, &mut field, patience).await?;
            fields.file = Some((file, blob));
            continue;
        }
        let bytes = form::text(&mut field, &name, MOST_FIELD_BYTES, patience).await?;
        let text = String::from_utf8(bytes).map_err(|_| ApiError::invalid(&*name, format!("{name} is no UTF-8 text")))?;
        match name.as_str() {
            "purpose" => fields.purpose = Some(text),
            "expires_after[anchor]" => fields.anchor = Some(text),
            "expires_after[seconds]" => {
                let seconds = text.parse().map_err(|_| ApiError::invalid(&*name, format!("{name} must be a number")))?;
                fields.seconds = Some(seconds);
            }
            _ => {
                let message = format!("unknown field {name:?}; a file comes with `file`, `purpose` and `expires_after`");
                return Err(ApiError::new(ErrorCode::UnknownField, message).of(name));
            }
        }
    }
    Ok(fields)
}

fn new_file(fields: Fields) -> Result<NewFile, ApiError> {
    let Fields { file, purpose, anchor, seconds } = fields;
    let missing = |name: &str| ApiError::new(ErrorCode::MissingField, format!("the form has no field `{name}`")).of(name);
    let Some((File { source: filename, content_type }, blob)) = file else {
        return Err(ApiError::new(ErrorCode::MissingFile, "the form has no field `file`").of("file"));
    };
    let purpose = purpose.ok_or_else(|| missing("purpose"))?;
    check_purpose(&purpose)?;
    check_expiry(anchor.as_deref(), seconds)?;
    let StoredBlob { id: blob, size_bytes, content_hash } = blob;
    Ok(NewFile { filename, content_type, purpose, blob, size_bytes, content_hash, expires_after: seconds })
}

pub(super) fn check_purpose(purpose: &str) -> Result<(), ApiError> {
    if PURPOSES.contains(&purpose) {
        return Ok(());
    }
    let message = format!("purpose must be {}; this gateway runs neither batches nor training", PURPOSES.join(" or "));
    Err(ApiError::invalid("purpose", message))
}

pub(super) fn check_expiry(anchor: Option<&str>, seconds: Option<u32>) -> Result<(), ApiError> {
    match (anchor, seconds) {
        (None, None) => Ok(()),
        (Some("created_at"), Some(seconds)) if SECONDS.contains(&seconds) => Ok(()),
        _ => {
            let message = "expires_after must have the anchor created_at and 3600 to 2592000 seconds";
            Err(ApiError::invalid("expires_after", message))
        }
    }
}
