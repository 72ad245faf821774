//! Embedding and generation providers: the built-in model against reference vectors, the OpenAI-compatible ones against a fake.

mod builtin;
mod fake;
mod openai;
