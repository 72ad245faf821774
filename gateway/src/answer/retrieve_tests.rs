//! Retrieval around a store that is made up: what happens when a leg fails, when versions differ, and when many ask at once.

use std::sync::{Arc, Mutex, atomic::Ordering};

use ragline_config::{ExpansionMethod, Price, SearchMode};

use super::{
    request::{AnswerError, Preference, SearchRequest},
    retrieve_fixture::{Backwards, Bench, Model, Rewords, Shelf, ask, ids, somebody},
};
use crate::traits::{
    cache::Namespace,
    filter::Filter,
    search::{Principal, SearchPlan, StoreError, WorkspaceId},
};

#[tokio::test]
async fn both_legs_are_fused_and_every_match_shows_both_values() {
    let bench = Bench::new(Model::default(), Shelf::default());
    let outcome = bench.search(&ask("why?")).await.unwrap();
    assert_eq!((outcome.mode, ids(&outcome)), (SearchMode::Hybrid, vec![2, 1, 4, 3]));
    let values: Vec<_> = outcome.matches.iter().map(|m| (m.similarity.is_some(), m.lexical)).collect();
    assert_eq!(values, [(true, Some(8.0)), (true, None), (true, Some(2.0)), (true, None)]);
    assert!(outcome.matches.is_sorted_by(|a, b| a.score >= b.score));
    assert!(bench.search(&ask("why?")).await.unwrap().cache_hit);
}

#[tokio::test]
async fn a_search_by_words_needs_no_model() {
    let bench = Bench::new(Model { down: true, ..Model::default() }, Shelf::default());
    let outcome = bench.search(&SearchRequest { mode: Some(SearchMode::Lexical), ..ask("why?") }).await.unwrap();
    assert_eq!((outcome.mode, ids(&outcome), outcome.plan), (SearchMode::Lexical, vec![2, 4], SearchPlan::Lexical));
    assert!(outcome.matches.iter().all(|m| m.similarity.is_none() && m.score.is_some()));
    assert_eq!((bench.model.asked.load(Ordering::SeqCst), bench.remembered()), (0, 1));
}

#[tokio::test]
async fn without_the_model_the_words_are_found_counted_and_not_remembered() {
    let bench = Bench::new(Model { down: true, ..Model::default() }, Shelf::default());
    let outcome = bench.search(&ask("why?")).await.unwrap();
    assert_eq!((outcome.mode, ids(&outcome)), (SearchMode::Lexical, vec![2, 4]));
    assert_eq!((bench.failures("vector"), bench.failures("lexical"), bench.remembered()), (1, 0, 0));
}

#[tokio::test]
async fn without_the_words_the_vectors_are_found_counted_and_not_remembered() {
    let bench = Bench::new(Model::default(), Shelf { words_down: true, ..Shelf::default() });
    let outcome = bench.search(&ask("why?")).await.unwrap();
    assert_eq!((outcome.mode, ids(&outcome)), (SearchMode::Vector, vec![1, 2, 3]));
    assert_eq!((bench.failures("vector"), bench.failures("lexical"), bench.remembered()), (0, 1, 0));
}

#[tokio::test]
async fn when_both_legs_fail_the_vectors_reason_is_told() {
    let bench = Bench::new(Model::default(), Shelf { words_down: true, vectors_down: true, ..Shelf::default() });
    let error = bench.search(&ask("why?")).await.unwrap_err();
    assert!(matches!(error, AnswerError::Search(StoreError::Unreachable(_))), "{error:?}");
}

#[tokio::test]
async fn a_version_that_changed_between_the_legs_is_searched_again_and_remembered_once_they_agree() {
    let once = Bench::new(Model::default(), Shelf { versions: Mutex::new(vec![6]), ..Shelf::default() });
    once.search(&ask("why?")).await.unwrap();
    assert_eq!(once.remembered(), 1);
    let twice = Bench::new(Model::default(), Shelf { versions: Mutex::new(vec![6, 6]), ..Shelf::default() });
    assert_eq!(ids(&twice.search(&ask("why?")).await.unwrap()), [2, 1, 4, 3]);
    assert_eq!(twice.remembered(), 0);
}

#[tokio::test]
async fn equal_searches_at_once_are_one_search() {
    let bench = Bench::new(Model::default(), Shelf::default());
    let (same, other) = (ask("why?"), ask("something else?"));
    let (many, one) = tokio::join!(futures::future::join_all((0..20).map(|_| bench.search(&same))), bench.search(&other));
    assert!(many.into_iter().chain([one]).all(|outcome| outcome.is_ok()));
    assert_eq!(bench.model.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn whoever_waits_for_a_search_that_fails_is_told_why() {
    let bench = Bench::new(Model::default(), Shelf { words_down: true, vectors_down: true, ..Shelf::default() });
    let same = ask("why?");
    let outcomes = futures::future::join_all((0..3).map(|_| bench.search(&same))).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(|error| error.to_string() == "the search failed")));
}

#[tokio::test]
async fn a_reranker_orders_and_one_that_fails_is_counted_and_leaves_the_order() {
    let up = Bench::new(Model::default(), Shelf::default()).reranked_by(Backwards { down: false });
    let outcome = up.search(&ask("why?")).await.unwrap();
    assert_eq!(ids(&outcome), [3, 4, 1, 2]);
    assert!(outcome.matches.is_sorted_by(|a, b| a.score >= b.score));
    let broken = Bench::new(Model::default(), Shelf::default()).reranked_by(Backwards { down: true });
    assert_eq!(ids(&broken.search(&ask("why?")).await.unwrap()), [2, 1, 4, 3]);
    assert_eq!((broken.retriever.metrics.rag_rerank_failures.get(), broken.remembered()), (1, 0));
}

#[tokio::test]
async fn a_reranker_sees_more_than_is_wanted() {
    let bench = Bench::new(Model::default(), Shelf::default()).reranked_by(Backwards { down: false });
    let outcome = bench.retriever.search(&somebody(), &ask("why?"), 1).await.unwrap();
    assert_eq!(ids(&outcome), [3]);
}

#[tokio::test]
async fn the_threshold_cuts_in_every_mode() {
    for mode in SearchMode::ALL {
        let bench = Bench::new(Model::default(), Shelf::default());
        let all = bench.search(&SearchRequest { mode: Some(mode), ..ask("why?") }).await.unwrap();
        let threshold = all.matches[0].score;
        let best = bench.search(&SearchRequest { mode: Some(mode), threshold, ..ask("why?") }).await.unwrap();
        assert_eq!(ids(&best)[0], ids(&all)[0], "{mode:?}");
        assert!(best.matches.len() < all.matches.len(), "{mode:?}");
    }
}

#[tokio::test]
async fn the_mode_and_the_filter_are_part_of_the_key() {
    let bench = Bench::new(Model::default(), Shelf::default());
    let filter = Some(Filter::All(Vec::new()));
    let mut keys: Vec<String> = SearchMode::ALL
        .map(|mode| SearchRequest { mode: Some(mode), ..ask("why?") })
        .into_iter()
        .chain([SearchRequest { filter, ..ask("why?") }])
        .map(|request| bench.retriever.search_key(&somebody(), &request, 10, 7).0)
        .collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

#[tokio::test]
async fn a_paraphrase_is_found_in_its_own_scope_and_nowhere_else() {
    let mut bench = Bench::new(Model::default(), Shelf::default());
    bench.retriever.least_similarity = Some(0.95);
    assert!(!bench.search(&ask("How does one restart it?")).await.unwrap().cache_hit);
    // The model gives all but "else" the same vector: whatever is not a hit was kept apart by something else than the cosine.
    assert!(bench.search(&ask("What is the way to restart it?")).await.unwrap().cache_hit);
    let filter = Some(Filter::Contains([("department".to_owned(), "legal".into())].into_iter().collect()));
    let elsewhere = [
        ("another meaning", ask("Something else entirely?")),
        ("another number", ask("How does one restart it 2 times?")),
        ("its opposite", ask("How does one not restart it?")),
        ("another filter", SearchRequest { filter, ..ask("What is the way to restart it here?") }),
        ("another mode", SearchRequest { mode: Some(SearchMode::Vector), ..ask("What is the way to restart it there?") }),
        ("no vector", SearchRequest { mode: Some(SearchMode::Lexical), ..ask("What is the way to restart it by words?") }),
    ];
    for (what, request) in elsewhere {
        assert!(!bench.search(&request).await.unwrap().cache_hit, "{what} was answered from the cache");
    }
    let query = ask("Which way is it restarted?");
    assert!(!bench.retriever.search(&somebody(), &query, 3).await.unwrap().cache_hit, "another limit was answered");
    let neighbour = Principal { workspace: WorkspaceId(2), ..somebody() };
    assert!(!bench.retriever.search(&neighbour, &query, 10).await.unwrap().cache_hit, "another workspace was answered");
    let namesake = Principal { workspace_name: "other".into(), ..somebody() };
    assert!(!bench.retriever.search(&namesake, &query, 10).await.unwrap().cache_hit, "another name was answered");
    bench.retriever.searcher = Arc::new(Shelf { now: 8, ..Shelf::default() });
    assert!(!bench.search(&query).await.unwrap().cache_hit, "another version was answered");
}

#[tokio::test]
async fn a_paraphrase_is_searched_while_it_is_switched_off() {
    let bench = Bench::new(Model::default(), Shelf::default());
    bench.search(&ask("How does one restart it?")).await.unwrap();
    assert!(!bench.search(&ask("What is the way to restart it?")).await.unwrap().cache_hit);
    assert!(bench.cache.0.lock().unwrap().iter().all(|(space, ..)| *space != Namespace::Similarity));
}

#[tokio::test]
async fn feedback_searches_again_with_what_the_passages_share_and_keeps_the_values_of_the_question() {
    let mut bench = Bench::new(Model::default(), Shelf::default());
    bench.retriever.search.expansion.method = ExpansionMethod::Feedback;
    let outcome = bench.search(&SearchRequest { mode: Some(SearchMode::Lexical), ..ask("why?") }).await.unwrap();
    assert_eq!(ids(&outcome), [2, 5, 4]);
    assert_eq!(outcome.matches.iter().map(|m| m.lexical).collect::<Vec<_>>(), [Some(8.0), None, Some(2.0)]);
    assert!(outcome.matches.is_sorted_by(|a, b| a.score >= b.score));
    let outcome = bench.search(&ask("why?")).await.unwrap();
    assert_eq!((outcome.mode, ids(&outcome).contains(&5), bench.remembered()), (SearchMode::Hybrid, true, 2));
}

#[tokio::test]
async fn other_wordings_add_what_they_find_in_every_mode() {
    for (mode, expected) in
        [(SearchMode::Lexical, vec![2, 6, 4]), (SearchMode::Vector, vec![1, 2, 3]), (SearchMode::Hybrid, vec![1, 2, 3, 6, 4])]
    {
        let shelf = Shelf::default();
        let searched = Arc::clone(&shelf.searched);
        let mut bench = Bench::new(Model::default(), shelf);
        bench.retriever.rephraser = Arc::new(Rewords { down: false });
        let outcome = bench.search(&SearchRequest { mode: Some(mode), ..ask("why?") }).await.unwrap();
        assert_eq!((outcome.mode, ids(&outcome)), (mode, expected));
        assert_eq!(searched.lock().unwrap().len(), if mode == SearchMode::Vector { 0 } else { 2 });
        assert_eq!(bench.retriever.metrics.rag_llm_tokens_used.with_label_values(&["completion"]).get(), 4);
        assert_eq!(bench.remembered(), 1);
    }
}

#[tokio::test]
async fn an_expansion_that_fails_is_counted_and_the_question_searched_alone() {
    let mut bench = Bench::new(Model::default(), Shelf::default());
    bench.retriever.rephraser = Arc::new(Rewords { down: true });
    let outcome = bench.search(&ask("why?")).await.unwrap();
    assert_eq!((outcome.mode, ids(&outcome)), (SearchMode::Hybrid, vec![2, 1, 4, 3]));
    assert_eq!((bench.retriever.metrics.rag_expansion_failures.get(), bench.remembered()), (1, 0));
}

#[tokio::test]
async fn a_request_may_leave_the_reranker_out_and_weigh_the_legs() {
    let bench = Bench::new(Model::default(), Shelf::default()).reranked_by(Backwards { down: false });
    let wish = |without_reranker, weights| {
        let preference = Preference { without_reranker, weights };
        SearchRequest { preference, ..ask("why?") }
    };
    let mut orders = Vec::new();
    for request in [wish(false, None), wish(true, None), wish(true, Some([1.0, 0.0])), wish(true, Some([0.0, 1.0]))] {
        let outcome = bench.search(&request).await.unwrap();
        assert!(!outcome.cache_hit, "{request:?} was answered as another");
        orders.push(ids(&outcome));
    }
    assert_eq!(orders, [vec![3, 4, 1, 2], vec![2, 1, 4, 3], vec![1, 2, 3, 4], vec![2, 4, 1, 3]]);
}

#[tokio::test]
async fn of_those_who_share_a_search_one_pays_for_its_wordings() {
    let mut bench = Bench::new(Model::default(), Shelf::default());
    bench.retriever.rephraser = Arc::new(Rewords { down: false });
    let price = Price { prompt_usd_per_million: 1e6, completion_usd_per_million: 0.0 };
    bench.retriever.generation.prices.insert("rewords".into(), price);
    let request = ask("why?");
    let (one, two) = tokio::join!(bench.search(&request), bench.search(&request));
    let tokens = [one, two].map(|outcome| outcome.unwrap().expansion.completion_tokens);
    assert_eq!(tokens.iter().sum::<u64>(), 4, "{tokens:?}");
    assert_eq!(bench.search(&request).await.unwrap().expansion.completion_tokens, 0, "the cache was paid for");
    assert_eq!(bench.retriever.metrics.rag_llm_tokens_used.with_label_values(&["prompt"]).get(), 3);
    assert_eq!(bench.retriever.metrics.cost_of("1"), 3.0);
}
