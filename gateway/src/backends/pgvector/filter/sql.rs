//! A filter as SQL, in its two forms. Texts are constants; every value is bound.

use serde_json::Value;

use super::{
    Builder,
    condition::{Rows, alone, rows},
};
use crate::traits::{
    filter::{Comparison, Filter, Scalar},
    ingest::Metadata,
};

/// Keys of what a document is by itself: rows have them, metadata may not.
const BUILTIN: [&str; 6] = ["source", "filename", "title", "content_type", "created_at", "updated_at"];
/// Longer keys have no rows.
const MOST_KEY_CHARS: usize = 128;

/// A statement that gives the ids of the chunks that pass, some perhaps twice.
pub(in crate::backends::pgvector) fn push_set(sql: &mut Builder, filter: &Filter) {
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
        Filter::Contains(object) if let Some(values) = plain(object) => {
            if let [(key, value)] = values.as_slice() {
                push_rows(sql, &alone(key, value));
                return;
            }
            sql.push("SELECT c.id FROM chunk c WHERE true");
            for (key, value) in &values {
                sql.push(" AND ");
                push_in(sql, |sql| push_rows(sql, &alone(key, value)));
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
        Filter::Compare { .. } | Filter::Any(_) | Filter::Within(_) => {
            sql.push("SELECT c.id FROM chunk c WHERE ");
            push_holds(sql, filter);
        }
    }
}

/// A condition on one row `c` of the table `chunk`.
pub(super) fn push_holds(sql: &mut Builder, filter: &Filter) {
    match filter {
        Filter::Contains(object) => match plain(object) {
            Some(values) => {
                sql.push("(true");
                for (key, value) in &values {
                    sql.push(" AND ");
                    push_exists(sql, &alone(key, value), true);
                }
                sql.push(")");
            }
            None => push_contains(sql, object),
        },
        Filter::Compare { key, comparison } => {
            let (rows, wanted) = rows(key, comparison);
            push_exists(sql, &rows, wanted);
        }
        Filter::All(filters) => push_joined(sql, "true", " AND ", filters),
        Filter::Any(filters) => push_joined(sql, "false", " OR ", filters),
        Filter::Within(collections) => {
            let ids: Vec<i32> = collections.iter().map(|collection| collection.0).collect();
            sql.push("c.collection_id = ANY(").push_bind(ids).push("::int[])");
        }
    }
}

/// One look-up in the index for the document's rows and the chunk's own.
fn push_exists(sql: &mut Builder, rows: &Rows<'_>, wanted: bool) {
    sql.push(if wanted { "EXISTS" } else { "NOT EXISTS" });
    sql.push(" (SELECT FROM attribute a WHERE a.document_id = c.document_id AND a.chunk_id = ANY(ARRAY[0, c.id]) AND ");
    rows.push(sql);
    sql.push(")");
}

fn push_joined(sql: &mut Builder, empty: &'static str, between: &'static str, filters: &[Filter]) {
    sql.push("(").push(empty);
    for filter in filters {
        sql.push(between);
        push_holds(sql, filter);
    }
    sql.push(")");
}

/// The chunks with such a row, through the document where the row is the document's. An array, since the planner would join all chunks
/// where it overrates the documents.
fn push_rows(sql: &mut Builder, rows: &Rows<'_>) {
    sql.push("SELECT c.id FROM chunk c WHERE c.document_id = ANY(ARRAY(SELECT a.document_id FROM attribute a WHERE a.chunk_id = 0 AND ");
    rows.push(sql);
    sql.push(")) UNION ALL SELECT a.chunk_id FROM attribute a WHERE a.chunk_id <> 0 AND ");
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
pub(in crate::backends::pgvector) fn is_found(filter: &Filter) -> bool {
    match filter {
        Filter::Contains(object) => !scalars(object).is_empty(),
        Filter::Compare { key, comparison } => rows(key, comparison).1,
        Filter::All(filters) => filters.iter().any(is_found),
        Filter::Any(filters) => !filters.is_empty() && filters.iter().all(is_found),
        Filter::Within(_) => true,
    }
}

/// The values of an object that holds nothing but values which rows tell apart; `None` for any other.
fn plain(object: &Metadata) -> Option<Vec<(&str, Scalar)>> {
    let told = |key: &str| !BUILTIN.contains(&key) && key.chars().count() <= MOST_KEY_CHARS;
    let value = |(key, value): (&'_ String, &Value)| told(key).then(|| Scalar::of(value)).flatten();
    let values: Option<Vec<_>> = object.iter().map(|entry| value(entry).map(|scalar| (entry.0.as_str(), scalar))).collect();
    values.filter(|values| !values.is_empty())
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
