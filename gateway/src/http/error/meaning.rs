//! One sentence for each error code, for the table in the gateway's README: what it tells, and what mends it.

use super::ErrorCode;

impl ErrorCode {
    /// One sentence for the README.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::MissingApiKey => "No key was sent: add `Authorization: Bearer KEY`.",
            Self::InvalidApiKey => "The key is unknown or no longer valid.",
            Self::AdminRequired => "The key may not do this; it takes an administrator's.",
            Self::WriteRequired => "The key may only read; it takes one of scope `write`.",
            Self::UnknownRoute => "There is no such route; `/openapi.json` lists them.",
            Self::MethodNotAllowed => "The route exists, but not with this method.",
            Self::DocumentNotFound => "The workspace of the key has no such document.",
            Self::JobNotFound => "The workspace of the key has no such job.",
            Self::ModelNotFound => "The gateway does not serve that model.",
            Self::WorkspaceNotFound => "The pipeline has no such workspace, or it is being deleted.",
            Self::KeyNotFound => "The pipeline has no such key in force.",
            Self::UnsupportedMediaType => "The body has another content type than the route takes.",
            Self::MalformedJson => "The body is not JSON; the message says where.",
            Self::UnknownField => "The body has a field that the route does not know; `param` names it.",
            Self::MissingField => "The body lacks a field; `param` names it.",
            Self::InvalidValue => "A value is of the wrong type or outside its bounds; `param` names the field.",
            Self::UnsupportedMode => "That way of searching is not offered.",
            Self::MalformedUpload => "The body is not the multipart form that it says it is.",
            Self::MissingFile => "The upload has no part called `file`.",
            Self::TooManyFiles => "The upload has more files than one request may have; send several.",
            Self::InvalidMetadata => "`metadata` is not a JSON object within its bounds.",
            Self::BodyTooLarge => "The body is larger than the route takes.",
            Self::FileTooLarge => "A file is larger than the pipeline's limit; the files before it are stored.",
            Self::UploadTooLarge => "The upload is larger than the pipeline's limit; send several.",
            Self::Conflict => "Somebody else changed the same thing meanwhile: try again.",
            Self::WorkspaceExists => {
                "The pipeline has a workspace of that name, or is still deleting it: take another name, or wait."
            }
            Self::WorkspaceNeeded => "The workspace `default` cannot be deleted: the first key lives there.",
            Self::TooManyRequests => "The gateway is full: try again after `Retry-After`.",
            Self::ProviderRateLimited => "The model's provider limits requests: try again after `Retry-After`.",
            Self::RequestTimedOut => "The request's deadline passed: try again, or ask for less.",
            Self::UploadTimedOut => "The next piece of the upload did not come in time.",
            Self::DatabaseUnavailable => "PostgreSQL cannot be reached; the gateway goes on by itself once it can.",
            Self::DatabaseBusy => "Every connection to PostgreSQL is in use: try again shortly.",
            Self::DatabaseFull => "PostgreSQL's volume is full: enlarge it.",
            Self::DatabaseMisconfigured => "Gateway and database do not fit; the gateway's log says why.",
            Self::EmbeddingUnavailable => "The embedding provider does not answer: try again shortly.",
            Self::EmbeddingMisconfigured => {
                "The embedding provider refuses what the pipeline's configuration sends; the log says why."
            }
            Self::GenerationDisabled => "This pipeline only retrieves: use `/v1/search`, or give it a `generation`.",
            Self::GenerationUnavailable => "The generation provider does not answer: try again shortly.",
            Self::GenerationMisconfigured => {
                "The generation provider refuses what the pipeline's configuration sends; the log says why."
            }
            Self::IndexUnavailable => "The state of the index could not be read in time.",
            Self::ShuttingDown => "This gateway is ending: try again, and another one answers.",
            Self::FileNotFound => "The workspace of the key has no such file, or the vector store does not have it.",
            Self::VectorStoreNotFound => "The workspace of the key has no such vector store.",
            Self::FileBatchNotFound => "The vector store has no such batch of files.",
            Self::VectorStoreExpired => "The vector store went past its time and is empty; make a new one.",
            Self::InternalError => "A fault of the gateway; its log has the request id.",
            Self::RateLimitExceeded => "The share of the key or of its workspace is used up: try again after `Retry-After`.",
            Self::InvalidToken => "The identity provider's token does not hold; the message says why.",
            Self::TokenNotAdmitted => "The token holds, but names no workspace of the pipeline, or no scope of it.",
            Self::IdentityProviderUnavailable => "The keys of the identity provider could not be fetched: try again shortly.",
            Self::RerankUnavailable => "The reranking server does not answer: try again shortly.",
            Self::RerankMisconfigured => {
                "The reranking server refuses what the pipeline's configuration sends; the log says why."
            }
            Self::OriginRefused => "`/mcp` is for programs; a browser's page may not call it.",
            Self::UnsupportedParameter => {
                "A parameter of OpenAI's that the gateway cannot honour; `param` names it. Leave it out."
            }
            Self::UploadNotFound => "The workspace of the key has no such upload; it may have been swept away.",
            Self::UploadClosed => "The upload was completed or cancelled, or went past its hour: begin another.",
            Self::ResponseNotFound => "The workspace of the key keeps no such response; it may have been swept away.",
            Self::PreviousResponseNotFound => "The workspace keeps no ended response of `previous_response_id`.",
            Self::ContextLengthExceeded => {
                "With `truncation: disabled`, the conversation finds no room beside the passages, or cannot be read back to its beginning: send less, or `auto`."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks, or with `UPDATE=1` writes, the table between the marks.
    #[test]
    fn the_readme_lists_every_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let text = std::fs::read_to_string(path).unwrap();
        let row = |code: ErrorCode| format!("| `{}` | {} | {} |\n", code.word(), code.status().as_u16(), code.meaning());
        let rows: String = ErrorCode::ALL.into_iter().map(row).collect();
        let (before, rest) = text.split_once("<!-- codes -->\n").unwrap();
        let (_, after) = rest.split_once("<!-- /codes -->").unwrap();
        let wanted = format!("{before}<!-- codes -->\n| code | status | meaning |\n|---|---|---|\n{rows}<!-- /codes -->{after}");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &wanted).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), wanted, "run UPDATE=1 cargo test -p ragline-gateway --lib readme");
    }
}
