//! A comparison as a condition on one row `a` of the table `attribute`. Every operator in it is leakproof, or an index would not serve.

use super::Builder;
use crate::traits::filter::{Comparison, Scalar};

/// Characters of `attribute.text_value`; the others are in `rest`.
const PREFIX_CHARS: usize = 256;

/// A comparison that some row must pass, or that none may.
pub(super) struct Rows<'a> {
    pub(super) key: &'a str,
    pub(super) passes: Passes<'a>,
    /// Not one of a list.
    pub(super) alone: bool,
}

pub(super) enum Passes<'a> {
    Equal(&'a [Scalar]),
    /// The operator is a constant of [`rows`].
    Ordered(&'static str, &'a Scalar),
}

/// What rows are to be looked for, and whether there may be none.
pub(super) fn rows<'a>(key: &'a str, comparison: &'a Comparison) -> (Rows<'a>, bool) {
    let (passes, wanted) = match comparison {
        Comparison::Eq(value) => (Passes::Equal(std::slice::from_ref(value)), true),
        Comparison::Ne(value) => (Passes::Equal(std::slice::from_ref(value)), false),
        Comparison::In(values) => (Passes::Equal(values), true),
        Comparison::Nin(values) => (Passes::Equal(values), false),
        Comparison::Gt(value) => (Passes::Ordered(">", value), true),
        Comparison::Gte(value) => (Passes::Ordered(">=", value), true),
        Comparison::Lt(value) => (Passes::Ordered("<", value), true),
        Comparison::Lte(value) => (Passes::Ordered("<=", value), true),
    };
    (Rows { key, passes, alone: false }, wanted)
}

/// The rows of a value that is this one, and not a list with it.
pub(super) fn alone<'a>(key: &'a str, value: &'a Scalar) -> Rows<'a> {
    Rows { key, passes: Passes::Equal(std::slice::from_ref(value)), alone: true }
}

impl Rows<'_> {
    /// `a.key = … AND …`
    pub(super) fn push(&self, sql: &mut Builder) {
        sql.push("a.key = ").push_bind(self.key.to_owned()).push(" AND ");
        match self.passes {
            Passes::Equal(values) => push_equal(sql, values),
            Passes::Ordered(operator, Scalar::Number(number)) => {
                sql.push("a.number_value ").push(operator).push(" ").push_bind(*number);
            }
            Passes::Ordered(operator, Scalar::Bool(truth)) => {
                sql.push("a.boolean_value ").push(operator).push(" ").push_bind(*truth);
            }
            Passes::Ordered(operator, Scalar::Text(text)) => push_ordered_text(sql, operator, text),
        }
        if self.alone {
            sql.push(" AND NOT a.listed");
        }
    }
}

fn push_equal(sql: &mut Builder, values: &[Scalar]) {
    let (mut truths, mut numbers, mut texts, mut longer) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for value in values {
        match value {
            Scalar::Bool(truth) => truths.push(*truth),
            Scalar::Number(number) => numbers.push(*number),
            Scalar::Text(text) => match split(text) {
                (prefix, "") => texts.push(prefix.to_owned()),
                parts => longer.push(parts),
            },
        }
    }
    // A condition that never holds, so that each of the others can begin with OR.
    sql.push("(false");
    if !truths.is_empty() {
        sql.push(" OR a.boolean_value = ANY(").push_bind(truths).push(")");
    }
    if !numbers.is_empty() {
        sql.push(" OR a.number_value = ANY(").push_bind(numbers).push(")");
    }
    if !texts.is_empty() {
        sql.push(" OR a.text_value = ANY(").push_bind(texts).push(") AND a.rest = ''");
    }
    for (prefix, rest) in longer {
        sql.push(" OR a.text_value = ").push_bind(prefix.to_owned()).push(" AND a.rest = ").push_bind(rest.to_owned());
    }
    sql.push(")");
}

/// The first condition is what the index serves; the second decides among texts that begin alike.
fn push_ordered_text(sql: &mut Builder, operator: &'static str, text: &str) {
    let (prefix, rest) = split(text);
    let inclusive = if operator.starts_with('>') { ">=" } else { "<=" };
    sql.push("a.text_value ").push(inclusive).push(" ").push_bind(prefix.to_owned());
    sql.push(" AND (a.text_value, a.rest) ").push(operator).push(" (").push_bind(prefix.to_owned());
    sql.push(", ").push_bind(rest.to_owned()).push(")");
}

fn split(text: &str) -> (&str, &str) {
    text.char_indices().nth(PREFIX_CHARS).map_or((text, ""), |(at, _)| text.split_at(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(comparison: &Comparison) -> String {
        let mut sql = Builder::new("");
        rows("k", comparison).0.push(&mut sql);
        sql.into_string()
    }

    #[test]
    fn a_list_of_several_types_is_one_condition_a_type() {
        let long = "x".repeat(PREFIX_CHARS + 1);
        let list =
            [Scalar::Bool(true), Scalar::Number(1.0), Scalar::Text("a".into()), Scalar::Text("b".into()), Scalar::Text(long)];
        assert_eq!(
            sql(&Comparison::In(list.to_vec())),
            "a.key = $1 AND (false OR a.boolean_value = ANY($2) OR a.number_value = ANY($3) OR a.text_value = ANY($4) AND a.rest = '' \
             OR a.text_value = $5 AND a.rest = $6)"
        );
        assert_eq!(sql(&Comparison::In(Vec::new())), "a.key = $1 AND (false)");
    }

    #[test]
    fn texts_are_ordered_by_prefix_and_rest() {
        assert_eq!(
            sql(&Comparison::Lt(Scalar::Text("a".into()))),
            "a.key = $1 AND a.text_value <= $2 AND (a.text_value, a.rest) < ($3, $4)"
        );
    }

    #[test]
    fn a_text_is_split_between_characters() {
        let text = format!("{}ß", "é".repeat(PREFIX_CHARS));
        assert_eq!(split(&text).1, "ß");
        assert_eq!(split("short"), ("short", ""));
    }
}
