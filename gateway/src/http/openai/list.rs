//! Lists with cursors, as OpenAI's clients page through them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    http::error::ApiError,
    traits::{files::Slice, workspaces::Page},
};

/// In which order a list is, by creation.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    Asc,
    #[default]
    Desc,
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Entries on the page, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `desc`, the newest first, or `asc`.
    #[serde(default)]
    #[param(inline)]
    order: Order,
    /// The last id of the page before.
    after: Option<String>,
    /// The first id of the page after.
    before: Option<String>,
}

/// Entries of a page that names no limit, and of any page.
pub(super) const PAGE: (u32, u32) = (20, 100);

impl PageQuery {
    /// The page as the stores know it.
    ///
    /// # Errors
    /// A limit out of bounds, or a cursor that is no id of the kind.
    pub(super) fn slice<T: std::str::FromStr>(self, uuid: fn(T) -> Uuid) -> Result<Slice, ApiError> {
        let Self { limit, order, after, before } = self;
        slice(limit, PAGE, order, after, before, uuid)
    }
}

/// As [`PageQuery::slice`], with other limits: of a page that names none, and of any.
pub(super) fn slice<T: std::str::FromStr>(
    limit: Option<u32>,
    (usual, most): (u32, u32),
    order: Order,
    after: Option<String>,
    before: Option<String>,
    uuid: fn(T) -> Uuid,
) -> Result<Slice, ApiError> {
    crate::http::search::check_limit(limit, most)?;
    let cursor = |param: &str, text: Option<String>| {
        let parse = |text: String| {
            text.parse()
                .map(uuid)
                .map_err(|_| ApiError::invalid(param, format!("{param} must be the id of an entry of this list")))
        };
        text.map(parse).transpose()
    };
    let (after, before) = (cursor("after", after)?, cursor("before", before)?);
    Ok(Slice { limit: limit.unwrap_or(usual), ascending: order == Order::Asc, after, before })
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListView<T> {
    #[schema(example = "list")]
    object: &'static str,
    data: Vec<T>,
    /// Id of the first entry.
    first_id: Option<String>,
    /// Id of the last entry: the next page's `after`.
    last_id: Option<String>,
    has_more: bool,
}

impl<T> ListView<T> {
    /// The entries as they are shown, by their ids.
    pub(super) fn of<S>(page: Page<S>, show: impl Fn(S) -> T, id: impl Fn(&T) -> String) -> Self {
        let data: Vec<T> = page.items.into_iter().map(show).collect();
        let (first_id, last_id) = (data.first().map(&id), data.last().map(&id));
        Self { object: "list", data, first_id, last_id, has_more: page.has_more }
    }
}
