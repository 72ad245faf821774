//! Addresses of the providers that have one of their own, as their documentation gives them.

/// OpenAI: <https://platform.openai.com/docs/api-reference/introduction>.
pub const OPENAI: &str = "https://api.openai.com/v1";
/// OpenRouter: <https://openrouter.ai/docs/api-reference/overview>.
pub const OPENROUTER: &str = "https://openrouter.ai/api/v1";
/// Anthropic: <https://docs.anthropic.com/en/api/messages>.
pub const ANTHROPIC: &str = "https://api.anthropic.com/v1";
/// Gemini: <https://ai.google.dev/api/generate-content>.
pub const GEMINI: &str = "https://generativelanguage.googleapis.com/v1beta";
