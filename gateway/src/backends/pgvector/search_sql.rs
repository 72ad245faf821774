//! The statements of a search. Texts differ by space alone, so each connection prepares them once.
//!
//! Parameters: $1 vector, $2 relation, $3 workspace, $4 space, $5 chunks wanted; then $6 as each statement says.

use super::space::Space;

#[derive(Clone, Debug)]
pub(super) struct SearchSql {
    /// Matches with their texts.
    pub(super) whole: Statements,
    /// Ids and distances alone.
    pub(super) hits: Statements,
    /// The chunks of the ids in $3, in their order, each with its distance to $1; $2 relation, $4 space. Without a vector: null.
    pub(super) passages: String,
}

#[derive(Clone, Debug)]
pub(super) struct Statements {
    /// Compares every row of the workspace; exact for any number of windows a chunk.
    pub(super) exact: String,
    /// As `exact`, among the chunks of the ids in $6.
    pub(super) exact_of: String,
    /// As `exact`, among the chunks whose metadata contain $6.
    pub(super) exact_filtered: String,
    /// Takes the $6 nearest windows from the index.
    pub(super) indexed: String,
    /// As `indexed`, skipping chunks whose metadata do not contain $7.
    pub(super) indexed_filtered: String,
}

/// The document's metadata with the chunk's on top contain the object: what a caller sees is what is compared.
macro_rules! allowed {
    ($parameter:literal) => {
        concat!(
            "SELECT c.id FROM chunk c JOIN document d ON d.id = c.document_id \
             WHERE c.workspace_id = NULLIF(current_setting('ragline.workspace_id', true), '')::int \
             AND (d.metadata || c.metadata) @> ",
            $parameter,
            "::jsonb"
        )
    };
}

/// Ids of the chunks that a filter ($1) allows, at most $2 of them.
pub(super) const ALLOWED: &str = concat!(allowed!("$1"), " LIMIT $2");

/// Everything that a match shows of a chunk.
macro_rules! shown {
    () => {
        "c.text, c.position, c.heading_path, c.page, c.sheet, c.line_start, c.line_end, c.kind, d.metadata || c.metadata AS metadata, \
         d.id AS document_id, d.source, d.content_type, d.updated_at"
    };
}

/// `best` with everything that a match shows. `windows` is the number of windows that were looked at.
const HYDRATE: &str = concat!(
    "SELECT b.chunk_id, b.distance, b.windows, ",
    shown!(),
    " FROM best b JOIN chunk c ON c.id = b.chunk_id JOIN document d ON d.id = c.document_id ORDER BY b.distance, b.chunk_id"
);

/// `best` as it is, without what was deleted meanwhile.
const HITS: &str = "SELECT b.chunk_id, b.distance, b.windows FROM best b ORDER BY b.distance, b.chunk_id";

impl SearchSql {
    pub(super) fn new(space: &Space) -> Self {
        let (element, operator) = (space.type_name(), space.operator());
        let passages = format!(
            concat!(
                "SELECT c.id AS chunk_id, near.distance, ",
                shown!(),
                " FROM unnest($3::bigint[]) WITH ORDINALITY AS wanted(id, place) \
                  JOIN chunk c ON c.id = wanted.id JOIN document d ON d.id = c.document_id \
                  LEFT JOIN LATERAL (SELECT min(e.embedding {operator} $1::vector::{element}) AS distance FROM embeddings e \
                    WHERE e.relation_id = $2 AND e.chunk_id = c.id AND e.space_id = $4) near ON $1 IS NOT NULL \
                  ORDER BY wanted.place"
            ),
            operator = operator,
            element = element
        );
        Self { whole: Statements::new(space, HYDRATE), hits: Statements::new(space, HITS), passages }
    }
}

impl Statements {
    fn new(space: &Space, tail: &str) -> Self {
        let (element, operator, indexed) = (space.type_name(), space.operator(), space.indexed_expression());
        let exact = |condition: &str| {
            // The sum keeps an index of any kind away from the order: exact is exact. OFFSET 0 has the distance computed before the
            // rows are grouped: without statistics the planner sorts for that, and would sort whole vectors.
            format!(
                "WITH best AS MATERIALIZED ( \
                   SELECT chunk_id, min(distance) AS distance, 0::bigint AS windows FROM ( \
                     SELECT chunk_id, (embedding {operator} $1::vector::{element}) + 0 AS distance FROM embeddings \
                     WHERE relation_id = $2 AND workspace_id = $3 AND space_id = $4 {condition} OFFSET 0) compared \
                   GROUP BY chunk_id ORDER BY 2, 1 LIMIT $5) {tail}"
            )
        };
        let by_index = |condition: &str| {
            format!(
                "WITH near AS MATERIALIZED ( \
                   SELECT e.chunk_id, e.embedding {operator} $1::vector::{element} AS distance FROM embeddings e \
                   WHERE e.relation_id = $2 AND e.workspace_id = $3 AND e.space_id = $4 {condition} \
                   ORDER BY {indexed} {operator} $1::vector::{element}({}) LIMIT $6), \
                 best AS MATERIALIZED ( \
                   SELECT chunk_id, min(distance) AS distance, (SELECT count(*) FROM near) AS windows FROM near \
                   GROUP BY chunk_id ORDER BY 2, 1 LIMIT $5) {tail}",
                space.dimensions
            )
        };
        Self {
            exact: exact(""),
            exact_of: exact("AND chunk_id = ANY($6::bigint[])"),
            exact_filtered: exact(concat!("AND chunk_id IN (", allowed!("$6"), ")")),
            indexed: by_index(""),
            indexed_filtered: by_index(concat!("AND e.chunk_id IN (", allowed!("$7"), ")")),
        }
    }
}
