//! The database: it answers, it has the extension, and the table of vectors shows the workspace's rows alone.

use std::time::Instant;

use super::{
    Details, VerifyParts,
    failure::{Failure, require},
    report::{details, elapsed_ms, ms},
};

/// It answers, has our schema, and row-level security binds the role.
pub(super) async fn connection(parts: &VerifyParts) -> Result<Details, Failure> {
    let begin = Instant::now();
    let server = parts.inspector.server().await?;
    let query_time_ms = elapsed_ms(begin);
    parts.directory.ready().await?;
    Ok(details([
        ("server_version", server.server_version.into()),
        ("role", server.role.into()),
        ("row_level_security", true.into()),
        ("query_time_ms", ms(query_time_ms)),
    ]))
}

/// pgvector is installed, in a version that can scan iteratively.
pub(super) async fn extension(parts: &VerifyParts) -> Result<Details, Failure> {
    let server = parts.inspector.server().await?;
    let Some(version) = server.vector_version else {
        return Err(Failure::Wrong("the extension vector is not installed; run `ragline-gateway migrate`".to_owned()));
    };
    require(server.iterative_scans, || format!("pgvector {version} cannot scan an index iteratively; 0.8 or later is needed"))?;
    Ok(details([("extension_version", version.into()), ("iterative_scans", true.into())]))
}

/// The table exists, its rows can be counted, and no row of another workspace shows.
pub(super) async fn embeddings_table(parts: &VerifyParts) -> Result<Details, Failure> {
    let principal = parts.principal().await?;
    let tally = parts.inspector.tally(principal.workspace).await?;
    let foreign = parts.inspector.sees_foreign_rows(principal.workspace).await?;
    require(!foreign, || "rows of another workspace can be seen: row-level security does not part the workspaces".to_owned())?;
    Ok(details([
        ("embedding_count", tally.embeddings.into()),
        ("chunk_count", tally.chunks.into()),
        ("document_count", tally.documents.into()),
        ("dimensions", parts.embedder.dimensions().into()),
        ("foreign_rows_visible", false.into()),
    ]))
}
