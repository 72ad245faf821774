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
    /// The name says what it is; the time tells two generations apart, and so does the wording of its condition.
    pub(super) fn new(relation: i32, kind: IndexKind, space: &Space, serving: Option<&str>) -> Self {
        let wording = serving.map_or(Wording::First, |name| Wording::of(name).other());
        let name = format!("{}{}{}", prefix(relation, &kind), Utc::now().timestamp_millis(), wording.suffix());
        Self::named(name, relation, kind, space)
    }

    fn named(name: String, relation: i32, kind: IndexKind, space: &Space) -> Self {
        let (method, options) = match kind {
            // Exact has no index; the plan never asks for one.
            IndexKind::Exact => ("ivfflat", String::new()),
            IndexKind::IvfFlat { lists } => ("ivfflat", format!(" WITH (lists = {lists})")),
            IndexKind::Hnsw { m, ef_construction } => ("hnsw", format!(" WITH (m = {m}, ef_construction = {ef_construction})")),
        };
        let condition = Wording::of(&name).condition(space);
        let sql = format!(
            "CREATE INDEX CONCURRENTLY {} ON {} USING {method} ({} {}){options} WHERE {condition}",
            quoted(&name),
            quoted(&table(relation)),
            space.indexed_expression(),
            space.operator_class(),
        );
        Self { relation, kind, name, sql }
    }
}

/// How the condition of an index is worded. It is partial, so that vectors of another space, with other dimensions, cannot break it.
///
/// All wordings say `space_id = N`, and a search that says so may use an index of any. From the words of one, PostgreSQL cannot prove
/// another: a session that measures an index uses its words, and no other index can answer for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wording {
    First,
    Second,
    /// Of indexes that were built before there were two.
    Plain,
}

impl Wording {
    /// The wording of an index, by its name.
    pub(super) fn of(name: &str) -> Self {
        match name.as_bytes().last() {
            Some(b'a') => Self::First,
            Some(b'b') => Self::Second,
            Some(_) | None => Self::Plain,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second | Self::Plain => Self::First,
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::First => "a",
            Self::Second => "b",
            Self::Plain => "",
        }
    }

    pub(super) fn condition(self, space: &Space) -> String {
        let id = space.id.0;
        match self {
            Self::First => format!("space_id > {} AND space_id <= {id}", id - 1),
            Self::Second => format!("space_id >= {id} AND space_id < {}", id + 1),
            Self::Plain => format!("space_id = {id}"),
        }
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
    use ragline_config::index::{DistanceMetric, ElementType, Quantization};

    use super::*;
    use crate::traits::search::{Calibration, SpaceId};

    fn space(distance_metric: DistanceMetric, quantization: Quantization) -> Space {
        let element_type = ElementType::Halfvec;
        Space {
            id: SpaceId(1),
            model: "m".into(),
            dimensions: 384,
            element_type,
            distance_metric,
            quantization,
            calibration: Calibration::default(),
        }
    }

    fn sql(kind: IndexKind, distance_metric: DistanceMetric, quantization: Quantization) -> String {
        Definition::named("n".into(), 1, kind, &space(distance_metric, quantization)).sql
    }

    #[test]
    fn two_generations_of_an_index_are_worded_apart() {
        let space = space(DistanceMetric::Cosine, Quantization::None);
        let kind = IndexKind::IvfFlat { lists: 100 };
        let mut name = "embeddings_1_near_ivfflat_100_1".to_owned();
        let mut condition = Wording::of(&name).condition(&space);
        for _ in 0..3 {
            let next = Definition::new(1, kind, &space, Some(&name));
            let worded = Wording::of(&next.name).condition(&space);
            assert_ne!(worded, condition);
            assert!(next.sql.ends_with(&format!("WHERE {worded}")) && next.name.starts_with(&prefix(1, &kind)), "{}", next.sql);
            (name, condition) = (next.name, worded);
        }
    }

    #[test]
    fn the_statement_follows_the_kind_and_the_space() {
        assert_eq!(
            sql(IndexKind::IvfFlat { lists: 100 }, DistanceMetric::Cosine, Quantization::None),
            "CREATE INDEX CONCURRENTLY \"n\" ON \"embeddings_1\" USING ivfflat ((embedding::halfvec(384)) halfvec_cosine_ops) \
             WITH (lists = 100) WHERE space_id = 1"
        );
        assert_eq!(
            sql(IndexKind::Hnsw { m: 16, ef_construction: 64 }, DistanceMetric::InnerProduct, Quantization::None),
            "CREATE INDEX CONCURRENTLY \"n\" ON \"embeddings_1\" USING hnsw ((embedding::halfvec(384)) halfvec_ip_ops) \
             WITH (m = 16, ef_construction = 64) WHERE space_id = 1"
        );
        assert_eq!(
            sql(IndexKind::IvfFlat { lists: 100 }, DistanceMetric::L2, Quantization::Binary),
            "CREATE INDEX CONCURRENTLY \"n\" ON \"embeddings_1\" USING ivfflat ((binary_quantize(embedding)::bit(384)) bit_hamming_ops) \
             WITH (lists = 100) WHERE space_id = 1"
        );
    }

    #[test]
    fn a_quote_in_a_name_does_not_end_it() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
