//! A filter as SQL, in its two forms. Texts are constants; every value is bound.

use serde_json::Value;

use super::{
    Builder,
    condition::{Rows, rows},
};
use crate::traits::{
    filter::{Comparison, Filter, Scalar},
    ingest::Metadata,
};

/// A statement that gives the ids of the chunks that pass, some perhaps twice.
pub(super) fn push_set(sql: &mut Builder, filter: &Filter) {
    match filter {
        Filter::Compare { key, comparison } if is_found(filter) => {
            let (rows, _) = rows(key, comparison);
            push_rows(sql, &rows);
        }
        Filter::Any(filters) if is_found(filter) => {
            for (place, filter) in filters.iter().enumerate() {
                sql.push(if place == 0 { "(" } else { " UNION ALL (" });
                push_set(sql, filter);
                sql.push(")");
            }
        }
        Filter::All(filters) => {
            sql.push("SELECT c.id FROM chunk c WHERE true");
            for filter in filters {
                sql.push(" AND ");
                if is_found(filter) {
                    push_in(sql, |sql| push_set(sql, filter));
                } else {
                    push_holds(sql, filter);
                }
            }
        }
        Filter::Contains(object) => {
            sql.push("SELECT c.id FROM chunk c WHERE ");
            for (key, value) in scalars(object) {
                push_in(sql, |sql| push_rows(sql, &rows(key, &Comparison::Eq(value)).0));
                sql.push(" AND ");
            }
            push_contains(sql, object);
        }
        Filter::Compare { .. } | Filter::Any(_) => {
            sql.push("SELECT c.id FROM chunk c WHERE ");
            push_holds(sql, filter);
        }
    }
}

/// A condition on one row `c` of the table `chunk`.
pub(super) fn push_holds(sql: &mut Builder, filter: &Filter) {
    match filter {
        Filter::Contains(object) => push_contains(sql, object),
        Filter::Compare { key, comparison } => {
            let (rows, wanted) = rows(key, comparison);
            sql.push(if wanted { "EXISTS" } else { "NOT EXISTS" });
            // One look-up in the index for the document's rows and the chunk's own.
            sql.push(" (SELECT FROM attribute a WHERE a.document_id = c.document_id AND a.chunk_id = ANY(ARRAY[0, c.id]) AND ");
            rows.push(sql);
            sql.push(")");
        }
        Filter::All(filters) => push_joined(sql, "true", " AND ", filters),
        Filter::Any(filters) => push_joined(sql, "false", " OR ", filters),
    }
}

fn push_joined(sql: &mut Builder, empty: &'static str, between: &'static str, filters: &[Filter]) {
    sql.push("(").push(empty);
    for filter in filters {
        sql.push(between);
        push_holds(sql, filter);
    }
    sql.push(")");
}

/// The chunks with such a row, through the document where the row is the document's.
fn push_rows(sql: &mut Builder, rows: &Rows<'_>) {
    sql.push("SELECT c.id FROM attribute a JOIN chunk c ON c.document_id = a.document_id WHERE a.chunk_id = 0 AND ");
    rows.push(sql);
    sql.push(" UNION ALL SELECT a.chunk_id FROM attribute a WHERE a.chunk_id <> 0 AND ");
    rows.push(sql);
}

fn push_in(sql: &mut Builder, set: impl FnOnce(&mut Builder)) {
    sql.push("c.id IN (");
    set(sql);
    sql.push(")");
}

/// The document's metadata with the chunk's on top contain the object: what a caller sees is what is compared.
fn push_contains(sql: &mut Builder, object: &Metadata) {
    sql.push("(SELECT d.metadata || c.metadata FROM document d WHERE d.id = c.document_id) @> ");
    sql.push_bind(Value::Object(object.clone()));
}

/// Whether the chunks that pass can be found without looking at all chunks.
fn is_found(filter: &Filter) -> bool {
    match filter {
        Filter::Contains(object) => !scalars(object).is_empty(),
        Filter::Compare { key, comparison } => rows(key, comparison).1,
        Filter::All(filters) => filters.iter().any(is_found),
        Filter::Any(filters) => !filters.is_empty() && filters.iter().all(is_found),
    }
}

/// What metadata that contain the object have rows of, itself or in a list.
fn scalars(object: &Metadata) -> Vec<(&str, Scalar)> {
    let mut found = Vec::new();
    for (key, value) in object {
        match value {
            Value::Array(items) => found.extend(items.iter().filter_map(Scalar::of).map(|scalar| (key.as_str(), scalar))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                found.extend(Scalar::of(value).map(|scalar| (key.as_str(), scalar)));
            }
        }
    }
    found
}
