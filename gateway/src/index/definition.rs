//! What an index is called and how it is made. The only place where DDL of indexes is put together: from numbers and constants.

use chrono::Utc;
use ragline_config::index::IndexKind;

use crate::backends::pgvector::space::Space;

/// An index that is to be built.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Definition {
    pub(super) relation: i32,
    pub(super) kind: IndexKind,
    pub(super) name: String,
    /// The statement.
    pub(super) sql: String,
}

impl Definition {
    /// The name says what it is, and the time tells two generations apart.
    pub(super) fn new(relation: i32, kind: IndexKind, space: &Space) -> Self {
        Self::named(format!("{}{}", prefix(relation, &kind), Utc::now().timestamp_millis()), relation, kind, space)
    }

    fn named(name: String, relation: i32, kind: IndexKind, space: &Space) -> Self {
        let (method, options) = match kind {
            // Exact has no index; the plan never asks for one.
            IndexKind::Exact => ("ivfflat", String::new()),
            IndexKind::IvfFlat { lists } => ("ivfflat", format!(" WITH (lists = {lists})")),
            IndexKind::Hnsw { m, ef_construction } => ("hnsw", format!(" WITH (m = {m}, ef_construction = {ef_construction})")),
        };
        // Partial, so that vectors of another space, with other dimensions, cannot break it.
        let sql = format!(
            "CREATE INDEX CONCURRENTLY {} ON {} USING {method} ({} {}){options} WHERE space_id = {}",
            quoted(&name),
            quoted(&table(relation)),
            space.indexed_expression(),
            space.operator_class(),
            space.id.0
        );
        Self { relation, kind, name, sql }
    }
}

/// The partition of a relation.
pub(super) fn table(relation: i32) -> String {
    format!("embeddings_{relation}")
}

/// How the names of all our indexes of a relation begin.
pub(super) fn any_prefix(relation: i32) -> String {
    format!("embeddings_{relation}_near_")
}

/// How the names of the indexes of one kind begin.
pub(super) fn prefix(relation: i32, kind: &IndexKind) -> String {
    match kind {
        IndexKind::Exact => format!("{}none_", any_prefix(relation)),
        IndexKind::IvfFlat { lists } => format!("{}ivfflat_{lists}_", any_prefix(relation)),
        IndexKind::Hnsw { m, ef_construction } => format!("{}hnsw_{m}_{ef_construction}_", any_prefix(relation)),
    }
}

/// An identifier as PostgreSQL reads it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use ragline_config::index::{DistanceMetric, ElementType};

    use super::*;
    use crate::traits::search::{Calibration, SpaceId};

    fn sql(kind: IndexKind, distance_metric: DistanceMetric) -> String {
        let element_type = ElementType::Halfvec;
        let space = Space {
            id: SpaceId(1),
            model: "m".into(),
            dimensions: 384,
            element_type,
            distance_metric,
            calibration: Calibration::default(),
        };
        Definition::named("n".into(), 1, kind, &space).sql
    }

    #[test]
    fn the_statement_follows_the_kind_and_the_space() {
        assert_eq!(
            sql(IndexKind::IvfFlat { lists: 100 }, DistanceMetric::Cosine),
            "CREATE INDEX CONCURRENTLY \"n\" ON \"embeddings_1\" USING ivfflat ((embedding::halfvec(384)) halfvec_cosine_ops) \
             WITH (lists = 100) WHERE space_id = 1"
        );
        assert_eq!(
            sql(IndexKind::Hnsw { m: 16, ef_construction: 64 }, DistanceMetric::InnerProduct),
            "CREATE INDEX CONCURRENTLY \"n\" ON \"embeddings_1\" USING hnsw ((embedding::halfvec(384)) halfvec_ip_ops) \
             WITH (m = 16, ef_construction = 64) WHERE space_id = 1"
        );
    }

    #[test]
    fn a_quote_in_a_name_does_not_end_it() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
