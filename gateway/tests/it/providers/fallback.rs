//! Providers that stand in for one another, as the settings name them.

use ragline_config::Config;
use ragline_gateway::{
    app::App,
    settings::{Settings, secret::Secret},
    traits::generator::{GenerateError, GenerationRequest},
};
use serde_json::json;

use super::stream_fake::{KEY, Mishap, StreamFake, TEXT};

/// A gateway whose first provider is Anthropic; Gemini stands in, and OpenRouter takes the short questions. No database is asked.
fn app(anthropic: &StreamFake, gemini: &StreamFake, open_router: &StreamFake) -> App {
    let yaml = format!(
        "embedding:\n  provider:\n    openAi: {{model: text-embedding-3-small, dimensions: 1536}}\ncache:\n  mode: disabled\n\
         generation:\n  timeoutSeconds: 1\n  provider:\n    anthropic: {{model: large, baseUrl: '{}/v1'}}\n  fallbacks:\n  \
         - gemini: {{model: other, baseUrl: '{}/v1beta'}}\n  shortQuestions:\n    maxWords: 4\n    provider:\n      \
         openRouter: {{model: small, baseUrl: '{}/api/v1'}}\n",
        anthropic.address, gemini.address, open_router.address
    );
    let key = || Secret::find("KEY", &|name: &str| (name == "KEY").then(|| KEY.to_owned()));
    let lookup = |name: &str| match name {
        "DATABASE_URL" => Some("postgresql://app@127.0.0.1:1/none".to_owned()),
        "ANTHROPIC_API_KEY" | "GEMINI_API_KEY" | "OPENROUTER_API_KEY" => Some(KEY.to_owned()),
        _ => None,
    };
    let mut settings = Settings::load(None, lookup).unwrap();
    settings.config = Config::from_yaml(&yaml).unwrap();
    settings.secrets.generation_api_key.secret = key();
    settings.secrets.short_api_key.secret = key();
    settings.secrets.fallback_api_keys = vec![settings.secrets.generation_api_key.clone()];
    App::build(settings).unwrap()
}

async fn ask(app: &App, question: &str) -> Result<(String, String), GenerateError> {
    let request =
        GenerationRequest { question: question.into(), prompt: question.into(), max_tokens: 10, ..GenerationRequest::default() };
    let generated = app.answerer.generator.generate(&request).await?;
    Ok((generated.text, generated.ending.model))
}

const LONG: &str = "Which port does the server listen on?";

fn down() -> Mishap {
    Mishap::Status(529, None, json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}))
}

fn failures(app: &App, provider: &str) -> u64 {
    app.metrics.rag_generation_failures.with_label_values(&[provider]).get()
}

#[tokio::test]
async fn the_next_provider_answers_where_the_first_is_down_and_the_first_rests() {
    let (anthropic, gemini) = (StreamFake::start(vec![down(); 9]).await, StreamFake::start([]).await);
    let app = app(&anthropic, &gemini, &gemini);
    assert_eq!(ask(&app, LONG).await.unwrap(), (TEXT.to_owned(), "other".to_owned()));
    assert_eq!(anthropic.count(), 2, "somebody else can be asked: one more try at most");
    assert_eq!(ask(&app, LONG).await.unwrap().1, "other");
    assert_eq!((anthropic.count(), failures(&app, "anthropic"), failures(&app, "gemini")), (2, 1, 0));
    assert_eq!(app.answerer.generator.model_name(), "large");
}

#[tokio::test]
async fn a_provider_that_hangs_is_left_for_the_next() {
    let (anthropic, gemini) = (StreamFake::start(vec![Mishap::Hang; 9]).await, StreamFake::start([]).await);
    let app = app(&anthropic, &gemini, &gemini);
    assert_eq!(ask(&app, LONG).await.unwrap().1, "other");
}

#[tokio::test]
async fn an_answer_that_breaks_off_goes_to_nobody_else() {
    let (anthropic, gemini) = (StreamFake::start([Mishap::EndAfter(3)]).await, StreamFake::start([]).await);
    let app = app(&anthropic, &gemini, &gemini);
    assert!(matches!(ask(&app, LONG).await.unwrap_err(), GenerateError::Unreachable { .. }));
    assert_eq!((gemini.count(), failures(&app, "anthropic")), (0, 0));
}

#[tokio::test]
async fn short_questions_go_to_the_cheaper_model_while_it_answers() {
    let (anthropic, small) = (StreamFake::start([]).await, StreamFake::start([]).await);
    let app = app(&anthropic, &anthropic, &small);
    assert_eq!(ask(&app, "Which port?").await.unwrap().1, "small");
    assert_eq!(ask(&app, LONG).await.unwrap().1, "large");
    let refusing = StreamFake::start(vec![Mishap::Status(402, None, json!({"error": {"message": "no credits"}})); 9]).await;
    let app = self::app(&anthropic, &anthropic, &refusing);
    assert_eq!(ask(&app, "Which port?").await.unwrap().1, "large");
    assert_eq!(failures(&app, "openrouter"), 1);
}
