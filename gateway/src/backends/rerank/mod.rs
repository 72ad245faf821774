//! Reranking by a server. Two dialects are spoken: Cohere's, which Jina and vLLM share, and that of Text
//! Embeddings Inference. A cross-encoder inside the process is deliberately absent: it would take the cores that questions are embedded on.

mod wire;

use async_trait::async_trait;
use ragline_config::Rerank;
use url::Url;

use self::wire::Dialect;
use crate::{
    backends::http::{CallError, ClientError, ModelServer, Policy, backoff, credentials::KeySource},
    traits::reranker::{RerankError, Reranker},
};

/// Somebody waits, and there is an order already: one more try, and soon.
const RETRIES: u32 = 1;
const RETRY_DELAY: std::time::Duration = std::time::Duration::from_millis(100);
/// Bytes of a reply around the relevances, and for each: a server may repeat the document.
const BYTES_BESIDE: usize = 1 << 20;
const BYTES_PER_DOCUMENT: usize = 64 << 10;

/// A reranking model behind `POST {baseUrl}/rerank`.
#[derive(Debug)]
pub struct HttpReranker {
    server: ModelServer,
    dialect: Dialect,
    model: String,
    candidates: u32,
}

impl HttpReranker {
    /// The reranker of the settings, `None` where it is switched off.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(settings: &Rerank, key: KeySource) -> Result<Option<Self>, ClientError> {
        let (Some(dialect), Some(base)) = (Dialect::of(settings.provider), settings.base_url.clone()) else { return Ok(None) };
        Self::at(base, dialect, settings, key).map(Some)
    }

    fn at(base: Url, dialect: Dialect, settings: &Rerank, key: KeySource) -> Result<Self, ClientError> {
        let candidates = settings.candidates;
        let policy = Policy {
            timeout: settings.timeout_seconds.into(),
            retries: RETRIES,
            retry_delay: RETRY_DELAY,
            longest_wait: backoff::LONGEST_WAIT,
            reply_bytes: BYTES_BESIDE + candidates as usize * BYTES_PER_DOCUMENT,
        };
        let server = ModelServer::new(base, key, policy)?;
        Ok(Self { server, dialect, model: settings.model.clone().unwrap_or_default(), candidates })
    }

    fn error(&self, error: CallError) -> RerankError {
        let host = self.server.host().to_owned();
        match error {
            CallError::Unauthorized => RerankError::Unauthorized { host },
            CallError::RateLimited { retry_after } => RerankError::RateLimited { host, retry_after },
            CallError::TimedOut(timeout) => RerankError::TimedOut { host, timeout },
            CallError::Unreachable(source) => RerankError::Unreachable { host, source },
            CallError::Refused { status, message } => RerankError::Refused { host, status, message },
            CallError::Malformed(what) => RerankError::Malformed { host, what },
        }
    }
}

#[async_trait]
impl Reranker for HttpReranker {
    async fn rerank(&self, question: &str, documents: &[&str]) -> Result<Vec<f32>, RerankError> {
        let request = self.dialect.request(&self.model, question, documents);
        let timeout = self.server.timeout();
        // The tries share one deadline: whoever configured it thought of what a question may cost.
        let body = match tokio::time::timeout(timeout, self.server.post("rerank", &request)).await {
            Ok(body) => body.map_err(|error| self.error(error))?,
            Err(_) => return Err(self.error(CallError::TimedOut(timeout))),
        };
        self.dialect.relevances(&body, documents.len()).map_err(|what| self.error(CallError::Malformed(what)))
    }

    fn candidates(&self) -> Option<u32> {
        Some(self.candidates)
    }

    fn model_name(&self) -> &str {
        &self.model
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use ragline_config::{RerankProvider, Seconds};
    use secrecy::SecretString;
    use serde_json::json;
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{body_json, header, method, path},
    };

    use super::*;

    fn reranker(server: &MockServer, provider: RerankProvider) -> HttpReranker {
        let settings = Rerank {
            provider,
            base_url: Some(format!("{}/v1", server.uri()).parse().unwrap()),
            model: Some("rerank-v3.5".into()),
            timeout_seconds: Seconds(1),
            ..Rerank::default()
        };
        HttpReranker::new(&settings, Arc::new(|| Some(SecretString::from("secret")))).unwrap().unwrap()
    }

    async fn answering(reply: ResponseTemplate) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(method("POST")).and(path("/v1/rerank")).respond_with(reply).mount(&server).await;
        server
    }

    #[tokio::test]
    async fn cohere_is_asked_with_the_key_and_its_order_is_read() {
        let server = MockServer::start().await;
        let asked = json!({"model": "rerank-v3.5", "query": "q", "documents": ["a", "b"], "top_n": 2});
        let reply = json!({"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.2}]});
        Mock::given(method("POST"))
            .and(path("/v1/rerank"))
            .and(header("authorization", "Bearer secret"))
            .and(body_json(asked))
            .respond_with(ResponseTemplate::new(200).set_body_json(reply))
            .mount(&server)
            .await;
        assert_eq!(reranker(&server, RerankProvider::Cohere).rerank("q", &["a", "b"]).await.unwrap(), [0.2, 0.9]);
    }

    #[tokio::test]
    async fn text_embeddings_inference_is_read() {
        let server = answering(ResponseTemplate::new(200).set_body_json(json!([{"index": 0, "score": 0.5}]))).await;
        let relevances = reranker(&server, RerankProvider::TextEmbeddingsInference).rerank("q", &["a"]).await;
        assert_eq!(relevances.unwrap(), [0.5]);
    }

    #[tokio::test]
    async fn a_trouble_that_passes_is_tried_once_more() {
        let server = MockServer::start().await;
        let down = Mock::given(method("POST")).respond_with(ResponseTemplate::new(503)).up_to_n_times(1);
        down.mount(&server).await;
        let up = ResponseTemplate::new(200).set_body_json(json!([{"index": 0, "score": 0.5}]));
        Mock::given(method("POST")).respond_with(up).mount(&server).await;
        assert!(reranker(&server, RerankProvider::TextEmbeddingsInference).rerank("q", &["a"]).await.is_ok());
    }

    #[tokio::test]
    async fn every_refusal_has_its_error() {
        let cases = [
            (ResponseTemplate::new(401), "refuses the key"),
            (ResponseTemplate::new(422).set_body_string("too long"), "answered 422: too long"),
            (ResponseTemplate::new(200).set_body_string("<html>"), "cannot be read"),
            (ResponseTemplate::new(200).set_delay(Duration::from_secs(30)), "did not answer within 1s"),
        ];
        for (reply, expected) in cases {
            let server = answering(reply).await;
            let error = reranker(&server, RerankProvider::Cohere).rerank("q", &["a"]).await.unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn switched_off_there_is_none() {
        assert!(HttpReranker::new(&Rerank::default(), Arc::new(|| None)).unwrap().is_none());
    }
}
