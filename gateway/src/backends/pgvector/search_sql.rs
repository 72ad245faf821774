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
    /// Among the chunks whose ids stand between the two parts. Where they are at most $6, as `exact`; where at most $7, as `indexed` with
    /// $8 for $6. In one statement, since thousands of ids take longer to send than to compare. `passing` is their number, counted up to
    /// one more than $7. A row without a chunk: nothing was found, or they are more.
    pub(super) set_around: [String; 2],
    /// As `exact`, with a condition on `chunk_id` between the two parts.
    pub(super) exact_around: [String; 2],
    /// Takes the $6 nearest windows from the index, or that many times [`Space::candidates_per_row`].
    pub(super) indexed: String,
    /// As `indexed`, with a condition on `e.chunk_id` between the two parts.
    pub(super) indexed_around: [String; 2],
}

/// Everything that a match shows of a chunk.
macro_rules! shown {
    () => {
        "c.text, c.tokens, c.position, c.heading_path, c.page, c.sheet, c.line_start, c.line_end, c.kind, d.metadata || c.metadata AS metadata, \
         d.id AS document_id, d.file_id, coalesce(d.filename, d.source) AS filename, d.content_type, d.updated_at"
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
        let (indexed_operator, question) = (space.indexed_operator(), space.indexed(&format!("$1::vector::{element}")));
        let candidates = space.candidates_per_row();
        // The sum keeps an index of any kind away from the order: exact is exact. OFFSET 0 has the distance computed before the rows
        // are grouped: without statistics the planner sorts for that, and would sort whole vectors.
        let compared = format!(
            "best AS MATERIALIZED ( \
               SELECT chunk_id, min(distance) AS distance, 0::bigint AS windows FROM ( \
                 SELECT chunk_id, (embedding {operator} $1::vector::{element}) + 0 AS distance FROM embeddings \
                 WHERE relation_id = $2 AND workspace_id = $3 AND space_id = $4"
        );
        let grouped = " OFFSET 0) compared GROUP BY chunk_id ORDER BY 2, 1 LIMIT $5)";
        let exact_around = [format!("WITH {compared}"), format!("{grouped} {tail}")];
        let rows = format!(
            "SELECT e.chunk_id, e.embedding {operator} $1::vector::{element} AS distance FROM embeddings e \
             WHERE e.relation_id = $2 AND e.workspace_id = $3 AND e.space_id = $4"
        );
        let nearest = format!("ORDER BY {indexed} {indexed_operator} {question}");
        // An IN that is true is looked up in a hash; alone it would become a join over all that pass.
        let set_around = [
            "WITH allowed(id) AS MATERIALIZED (".to_owned(),
            format!(
                " LIMIT $7 + 1), counted(n) AS MATERIALIZED (SELECT count(*) FROM allowed), \
                 near AS MATERIALIZED ( \
                   ({rows} AND (e.chunk_id IN (SELECT id FROM allowed)) IS TRUE AND (SELECT n FROM counted) BETWEEN $6 + 1 AND $7 \
                    {nearest} LIMIT $8 * {candidates}) \
                   UNION ALL \
                   {rows} AND e.chunk_id = ANY(ARRAY(SELECT id FROM allowed)) AND (SELECT n FROM counted) <= $6), \
                 best AS MATERIALIZED ( \
                   SELECT chunk_id, min(distance) AS distance, 0::bigint AS windows FROM near GROUP BY chunk_id ORDER BY 2, 1 LIMIT $5) \
                 SELECT (SELECT n FROM counted) AS passing, found.* FROM (SELECT) one LEFT JOIN ({tail}) found ON true \
                 ORDER BY found.distance, found.chunk_id"
            ),
        ];
        let indexed_around = [
            format!("WITH near AS MATERIALIZED ({rows}"),
            format!(
                " {nearest} LIMIT $6 * {candidates}), \
                 best AS MATERIALIZED ( \
                   SELECT chunk_id, min(distance) AS distance, (SELECT count(*) FROM near) AS windows FROM near \
                   GROUP BY chunk_id ORDER BY 2, 1 LIMIT $5) {tail}"
            ),
        ];
        Self { exact: exact_around.concat(), set_around, exact_around, indexed: indexed_around.concat(), indexed_around }
    }
}
