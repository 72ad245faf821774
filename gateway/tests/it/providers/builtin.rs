//! The built-in model. The reference vectors were computed in 64-bit floats by an implementation that shares no code with ours.

use ragline_gateway::traits::embedder::Embedder;
use serde::Deserialize;

use crate::model::builtin;

#[derive(Deserialize)]
struct Reference {
    text: String,
    vector: Vec<f32>,
}

fn references() -> Vec<Reference> {
    serde_json::from_str(include_str!("../data/minilm_reference.json")).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[tokio::test]
async fn vectors_are_those_of_the_reference() {
    let model = builtin();
    for reference in references() {
        let vector = model.embed(&reference.text).await.unwrap();
        let similarity = cosine(&vector, &reference.vector);
        assert!(similarity >= 0.9999, "{similarity} for {:?}", &reference.text[..20]);
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((norm - 1.0).abs() < 1e-5, "norm {norm}");
    }
}

#[tokio::test]
async fn a_batch_of_mixed_lengths_gives_each_text_its_own_vector_in_order() {
    let model = builtin();
    let texts: Vec<String> =
        (0..40).map(|n| format!("passage {n} {}", "about storage and indexes ".repeat(n * 7 % 30))).collect();
    let batch = model.embed_batch(&texts).await.unwrap();
    for (text, vector) in texts.iter().zip(&batch) {
        let similarity = cosine(&model.embed(text).await.unwrap(), vector);
        assert!(similarity > 0.9999, "{similarity}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_while_a_long_batch_is_under_way() {
    let model = builtin();
    let texts = vec!["word ".repeat(200); 200];
    let batch = tokio::spawn({
        let model = builtin();
        async move { model.embed_batch(&texts).await.map(|vectors| vectors.len()) }
    });
    model.embed("warm up").await.unwrap();
    for _ in 0..5 {
        model.embed("What is a checkpoint?").await.unwrap();
    }
    assert!(!batch.is_finished(), "the batch was too short to show anything");
    assert_eq!(batch.await.unwrap().unwrap(), 200);
}

#[tokio::test]
async fn an_empty_text_and_a_huge_one_have_vectors_too() {
    let model = builtin();
    for text in [String::new(), "é ".repeat(1_000_000)] {
        assert_eq!(model.embed(&text).await.unwrap().len(), 384);
    }
}
