//! Takes a multipart upload apart and streams its files into the blob table. No file is ever whole in memory; whatever was begun is
//! removed when the upload does not become a job.

use std::{collections::HashSet, sync::Arc};

use axum::extract::Request;
use uuid::Uuid;

use super::{
    error::{ApiError, ErrorCode},
    form::{self, File, Form, MOST_SOURCE_CHARS, check_source, file_of, store},
    state::Parts,
};
use crate::{
    ingest::{
        metadata::{self, MOST_BYTES as MOST_METADATA_BYTES},
        upload::{StoredBlob, Uploads},
    },
    traits::{
        ingest::{Metadata, NewItem},
        search::WorkspaceId,
    },
};

/// What the fields of an upload add up to.
#[derive(Default)]
struct Fields {
    files: Vec<(File, StoredBlob)>,
    metadata: Option<Metadata>,
    source: Option<String>,
}

/// Receives an upload and makes it a job, or a part of the given one.
pub(super) async fn receive(
    parts: &Parts,
    workspace: WorkspaceId,
    onto: Option<Uuid>,
    request: Request,
) -> Result<Uuid, ApiError> {
    let mut form = Form::open(parts, request).await?;
    let mut uploads = Uploads::new(Arc::clone(&parts.blobs), workspace);
    let fields = match read(parts, &mut uploads, &mut form).await {
        Ok(fields) => fields,
        Err(error) => return Err(form.refuse(error)),
    };
    let items = items(fields)?;
    let job = match onto {
        Some(job) => parts.jobs.extend(workspace, job, items).await.map(|()| job)?,
        None => parts.jobs.create(workspace, items).await?,
    };
    uploads.keep();
    Ok(job)
}

async fn read(parts: &Parts, uploads: &mut Uploads, form: &mut Form) -> Result<Fields, ApiError> {
    let most_files = parts.limits.files_per_request as usize;
    let patience = form.patience;
    let mut fields = Fields::default();
    while let Some(mut field) = form.next().await? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" | "files" | "file[]" => {
                if fields.files.len() >= most_files {
                    let message = format!(
                        "one upload takes at most {most_files} files; send the rest in another, or raise limits.filesPerRequest"
                    );
                    return Err(ApiError::new(ErrorCode::TooManyFiles, message).of("file"));
                }
                let file = file_of(&field)?;
                let blob = store(parts, uploads, &file.source, &mut field, patience).await?;
                fields.files.push((file, blob));
            }
            "metadata" => {
                let bytes = form::text(&mut field, "metadata", MOST_METADATA_BYTES, patience).await?;
                let parsed = metadata::parse(&bytes)
                    .map_err(|error| ApiError::new(ErrorCode::InvalidMetadata, format!("metadata: {error}")).of("metadata"))?;
                fields.metadata = Some(parsed);
            }
            "source" => {
                let bytes = form::text(&mut field, "source", MOST_SOURCE_CHARS * 4, patience).await?;
                let source = String::from_utf8(bytes).map_err(|_| ApiError::invalid("source", "source is no UTF-8 text"))?;
                check_source(&source)?;
                fields.source = Some(source);
            }
            _ => {
                let message = format!("unknown field {name:?}; an upload has `file`, `metadata` and `source`");
                return Err(ApiError::new(ErrorCode::UnknownField, message).of(name));
            }
        }
    }
    Ok(fields)
}

/// Turns the form into the items of a job.
fn items(fields: Fields) -> Result<Vec<NewItem>, ApiError> {
    let Fields { mut files, metadata, source } = fields;
    if files.is_empty() {
        return Err(ApiError::new(ErrorCode::MissingFile, "the upload carries no field `file`").of("file"));
    }
    if let Some(source) = source {
        let [(file, _)] = files.as_mut_slice() else {
            return Err(ApiError::invalid("source", "source names one document; leave it out when sending several files"));
        };
        file.source = source;
    }
    let mut seen = HashSet::new();
    if let Some((twice, _)) = files.iter().find(|(file, _)| !seen.insert(file.source.clone())) {
        let message = format!("two files of the upload are named {:?}, and the second would replace the first", twice.source);
        return Err(ApiError::invalid("file", message));
    }
    let metadata = metadata.unwrap_or_default();
    let item = |(File { source, content_type }, blob): (File, StoredBlob)| NewItem {
        source,
        content_type,
        metadata: metadata.clone(),
        blob: blob.id,
        size_bytes: blob.size_bytes,
        content_hash: blob.content_hash,
    };
    Ok(files.into_iter().map(item).collect())
}
