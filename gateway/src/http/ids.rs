//! Public ids: a UUID with a prefix that says what it names. An id that does not read as one names nothing, hence 404.

use std::{
    fmt,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::{ApiError, ErrorCode};
use crate::traits::workspaces::WorkspaceName;

/// Text that is no id of this kind.
#[derive(Debug, thiserror::Error)]
#[error("not an id that begins with {prefix}")]
pub struct NotAnId {
    prefix: &'static str,
}

/// An id in a path.
pub(super) trait PublicId: FromStr {
    /// What a caller hears when nothing has this id.
    fn unknown() -> ApiError;
}

macro_rules! public_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $code:ident, $what:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, ToSchema)]
        #[schema(value_type = String, example = $example)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let uuid = text.strip_prefix($prefix).filter(|rest| rest.len() == 36).and_then(|rest| rest.parse().ok());
                uuid.map(Self).ok_or(NotAnId { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl PublicId for $name {
            fn unknown() -> ApiError {
                ApiError::new(ErrorCode::$code, concat!("there is no ", $what, " with this id")).of("id")
            }
        }
    };
}

public_id!(
    /// The id of a document.
    DocumentId,
    "doc_",
    DocumentNotFound,
    "document",
    "doc_0198f2a4-52c5-7d8e-9c51-3f0f8b2f6a10"
);
public_id!(
    /// The id of a job.
    JobId,
    "job_",
    JobNotFound,
    "job",
    "job_0198f2a4-4f6b-7a11-8d0e-6f2c1f0f9b7e"
);
public_id!(
    /// The id of an API key; not the key.
    KeyId,
    "key_",
    KeyNotFound,
    "API key in force",
    "key_0198f2a4-6a01-7c33-a1b2-5d4e3c2b1a09"
);

public_id!(
    /// The id of a file.
    FileId,
    "file-",
    FileNotFound,
    "file",
    "file-0198f2a4-7c02-7e44-b3c4-6e5d4c3b2a18"
);
public_id!(
    /// The id of a vector store.
    VectorStoreId,
    "vs_",
    VectorStoreNotFound,
    "vector store",
    "vs_0198f2a4-8d13-7f55-84d5-7f6e5d4c3b29"
);
public_id!(
    /// The id of files that were put into a vector store together.
    FileBatchId,
    "vsfb_",
    FileBatchNotFound,
    "batch of files",
    "vsfb_0198f2a4-9e24-7066-95e6-806f6e5d4c3a"
);
public_id!(
    /// The id of a response.
    ResponseId,
    "resp_",
    ResponseNotFound,
    "response",
    "resp_0198f2a4-af35-7177-a6f7-91706f6e5d4b"
);

impl PublicId for WorkspaceName {
    fn unknown() -> ApiError {
        ApiError::new(ErrorCode::WorkspaceNotFound, "there is no workspace of this name").of("name")
    }
}

/// A new id that follows in time on those before. It asks the system for no randomness, which costs a call: use it where nothing rests
/// on ids being hard to guess.
pub(super) fn quick_id() -> Uuid {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = u64::try_from(now.as_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &rand::random()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_a_round_trip() {
        let id = DocumentId(Uuid::now_v7());
        assert_eq!(id.to_string().parse::<DocumentId>().unwrap(), id);
    }

    #[test]
    fn an_id_of_another_kind_is_none() {
        let uuid = Uuid::now_v7();
        for text in [JobId(uuid).to_string(), uuid.to_string(), "doc_".into(), format!("doc_{}", uuid.simple()), String::new()] {
            assert!(text.parse::<DocumentId>().is_err(), "{text}");
        }
    }
}
