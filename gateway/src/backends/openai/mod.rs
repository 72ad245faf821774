//! Servers that speak OpenAI's API: OpenAI itself, Azure OpenAI, OpenRouter, vLLM, Ollama and many more. Both embeddings and chat go
//! through [`super::http`].

mod chat;
mod chat_events;
pub(super) mod embeddings;
mod endpoint;
pub(super) mod tokenizer;

pub use chat::ChatGenerator;
pub use embeddings::OpenAiEmbedder;
pub use endpoint::Endpoint;
