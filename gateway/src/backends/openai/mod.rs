//! Servers that speak OpenAI's API: embeddings and chat. Both go through [`super::http`].

mod chat;
mod embeddings;
mod tokenizer;

pub use chat::ChatGenerator;
pub use embeddings::OpenAiEmbedder;
