//! A choice that has no settings, written `{}`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Takes no settings; write `{}`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Empty {}
