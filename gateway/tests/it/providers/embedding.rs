//! Embeddings from Azure OpenAI and from a Text Embeddings Inference, in their own wire formats:
//! <https://learn.microsoft.com/azure/ai-foundry/openai/reference#embeddings>,
//! <https://huggingface.github.io/text-embeddings-inference/>.

use std::sync::Arc;

use ragline_config::{AzureOpenAi, Embedding, EmbeddingProvider, Seconds, TextEmbeddingsInference};
use ragline_gateway::{
    backends::{
        cache::{CachedEmbedder, NoCache},
        http::credentials::{Credentials, Scheme},
        openai::{Endpoint, OpenAiEmbedder},
        text_embeddings_inference::TeiEmbedder,
    },
    traits::embedder::{EmbedError, Embedder},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{body_partial_json, header, method, path, query_param},
};

fn credentials(scheme: Scheme) -> Credentials {
    Credentials { key: Arc::new(|| Some(SecretString::from("sk-test"))), scheme, variables: "SOME_API_KEY".into() }
}

#[tokio::test]
async fn azure_is_asked_for_its_deployment_with_its_own_header() {
    let server = MockServer::start().await;
    let reply = json!({"object": "list", "data": [{"index": 0, "embedding": [0.0, 2.0]}]});
    Mock::given(method("POST"))
        .and(path("/openai/deployments/small/embeddings"))
        .and(query_param("api-version", "2024-10-21"))
        .and(header("api-key", "sk-test"))
        .and(body_partial_json(json!({"input": ["text"], "dimensions": 2})))
        .respond_with(ResponseTemplate::new(200).set_body_json(reply))
        .mount(&server)
        .await;
    let azure = AzureOpenAi {
        endpoint: server.uri().parse().unwrap(),
        deployment: "small".into(),
        api_version: Some("2024-10-21".into()),
        model: Some("text-embedding-3-small".into()),
        dimensions: Some(2),
        reasoning: None,
    };
    let endpoint = Endpoint::azure(&azure).unwrap();
    let settings = Embedding { provider: EmbeddingProvider::AzureOpenAi(azure), ..Embedding::default() };
    let embedder = OpenAiEmbedder::new(endpoint, &settings, credentials(Scheme::ApiKey)).unwrap();
    assert_eq!(embedder.embed("text").await.unwrap(), [0.0, 1.0]);
    assert_eq!((embedder.model_name(), embedder.provider()), ("text-embedding-3-small", "azure_openai"));
    let cached = CachedEmbedder::new(Arc::new(embedder), Arc::new(NoCache));
    assert!(cached.can_be_shortened() && !tei(&server).can_be_shortened());
}

/// An embedder of three dimensions that does not wait between tries.
fn tei(server: &MockServer) -> TeiEmbedder {
    let tei = TextEmbeddingsInference {
        base_url: server.uri().parse().unwrap(),
        model: "BAAI/bge-small-en-v1.5".into(),
        dimensions: Some(3),
        window_tokens: 400,
    };
    let settings = Embedding {
        provider: EmbeddingProvider::TextEmbeddingsInference(tei.clone()),
        retry_delay_seconds: Seconds(0),
        ..Embedding::default()
    };
    TeiEmbedder::new(&tei, &settings, credentials(Scheme::Bearer)).unwrap()
}

/// A vector for each input.
fn vectors(request: &Request) -> ResponseTemplate {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let inputs = body["inputs"].as_array().unwrap();
    assert_eq!((&body["normalize"], &body["truncate"]), (&json!(true), &json!(true)));
    ResponseTemplate::new(200).set_body_json(vec![[0.0, 0.0, 1.0]; inputs.len()])
}

#[tokio::test]
async fn an_inference_server_gets_batches_as_large_as_it_takes() {
    let server = MockServer::start().await;
    let info = json!({"model_id": "BAAI/bge-small-en-v1.5", "max_input_length": 512, "max_client_batch_size": 8});
    Mock::given(path("/info")).respond_with(ResponseTemplate::new(200).set_body_json(info)).expect(1).mount(&server).await;
    let key = header("authorization", "Bearer sk-test");
    Mock::given(method("POST")).and(path("/embed")).and(key).respond_with(vectors).expect(4).mount(&server).await;
    Mock::given(path("/health")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let embedder = tei(&server);
    let texts: Vec<String> = (0..20).map(|n| format!("text {n}")).collect();
    assert_eq!(embedder.embed_batch(&texts).await.unwrap(), vec![vec![0.0, 0.0, 1.0]; 20]);
    embedder.embed("one").await.unwrap();
    embedder.health().await.unwrap();
}

#[tokio::test]
async fn a_full_inference_server_is_asked_again_and_a_wrong_reply_is_told() {
    let server = MockServer::start().await;
    let full = ResponseTemplate::new(429).set_body_json(json!({"error": "Model is overloaded", "error_type": "overloaded"}));
    Mock::given(path("/embed")).respond_with(full).up_to_n_times(2).mount(&server).await;
    Mock::given(path("/embed")).respond_with(vectors).up_to_n_times(1).mount(&server).await;
    let wrong = ResponseTemplate::new(200).set_body_json([[1.0, 0.0]]);
    Mock::given(path("/embed")).respond_with(wrong).mount(&server).await;
    let embedder = tei(&server);
    embedder.embed("text").await.unwrap();
    let error = embedder.embed("text").await.unwrap_err();
    assert!(matches!(error, EmbedError::WrongDimensions { expected: 3, found: 2, .. }), "{error}");
}
