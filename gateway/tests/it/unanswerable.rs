//! "I don't know": 50 questions that the corpus answers and 50 that it does not, asked of excerpts of the PostgreSQL manual with the
//! built-in parts alone. At most one in ten of either kind may be taken for the other.

use std::collections::BTreeMap;

use ragline_gateway::{
    answer::confidence::{self, Assessment},
    traits::embedder::Embedder,
};
use serde::Deserialize;

use crate::{corpus::Corpus, model::builtin};

/// Of 50 questions of a kind.
const MOST_WRONG: usize = 5;

#[derive(Deserialize)]
struct Question {
    question: String,
    answerable: bool,
}

fn questions() -> Vec<Question> {
    include_str!("data/questions.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_a_tenth_of_the_questions_of_either_kind_is_taken_for_the_other() {
    let embedder = builtin();
    let corpus = Corpus::shared().await;
    let mut wrong: BTreeMap<bool, Vec<String>> = BTreeMap::new();
    for Question { question, answerable } in questions() {
        let matches = corpus.search(&embedder.embed(&question).await.unwrap());
        let Assessment { carries_answer, confidence } = confidence::assess(&question, &matches, embedder.as_ref()).await.unwrap();
        if carries_answer != answerable {
            wrong.entry(answerable).or_default().push(format!("{confidence:.2} {question}"));
        }
    }
    let count = |answerable: bool| wrong.get(&answerable).map_or(0, Vec::len);
    assert!(count(true) <= MOST_WRONG && count(false) <= MOST_WRONG, "{wrong:#?}");
}

#[test]
fn there_are_fifty_questions_of_each_kind() {
    let answerable = questions().iter().filter(|q| q.answerable).count();
    assert_eq!((answerable, questions().len()), (50, 100));
}
