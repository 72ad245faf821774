//! Every server of models that a spec names, whatever section and provider it stands under.

use ragline_config::{addresses, env};
use ragline_crds::spec::{Embedding, Generation, HostedModel, Rerank, SecretKeyRef, Writer};

/// A server, and the model that is asked for there.
#[derive(Debug)]
pub struct ModelServer<'a> {
    /// Path of the section, as in `spec.generation.fallbacks[0].anthropic`.
    pub field: String,
    /// Name of the field that holds its address.
    pub address_field: &'static str,
    /// Name of the field that holds the model.
    pub model_field: &'static str,
    /// Its address, the provider's own where the spec names none.
    pub base_url: String,
    pub model: Option<String>,
    pub secret_ref: &'a mut Option<SecretKeyRef>,
    /// The variable that takes its key.
    pub variable: &'static str,
    /// The folder that its key is mounted in.
    pub folder: &'static str,
}

/// Where a provider stands, and what belongs to that place.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    variable: &'static str,
    folder: &'static str,
}

impl Place<'_> {
    fn server<'a>(
        self,
        provider: &str,
        fields: [&'static str; 2],
        base_url: &str,
        model: &str,
        secret_ref: &'a mut Option<SecretKeyRef>,
    ) -> ModelServer<'a> {
        let [address_field, model_field] = fields;
        ModelServer {
            field: format!("{}.{provider}", self.path),
            address_field,
            model_field,
            base_url: base_url.to_owned(),
            model: Some(model.to_owned()),
            secret_ref,
            variable: self.variable,
            folder: self.folder,
        }
    }

    fn hosted<'a>(self, provider: &str, own: &str, model: &'a mut HostedModel) -> ModelServer<'a> {
        let HostedModel { model, base_url, reasoning: _, secret_ref } = model;
        self.server(provider, NAMED, base_url.as_deref().unwrap_or(own), model, secret_ref)
    }
}

const NAMED: [&str; 2] = ["baseUrl", "model"];
const AZURE: [&str; 2] = ["endpoint", "deployment"];
/// Folders of the keys of what stands in.
const FALLBACK_FOLDERS: [&str; 4] = [
    "generation-fallback-1-api-key",
    "generation-fallback-2-api-key",
    "generation-fallback-3-api-key",
    "generation-fallback-4-api-key",
];

/// Those of the sections, in the order in which they are missed.
pub fn servers<'a>(
    embedding: Option<&'a mut Embedding>,
    generation: Option<&'a mut Generation>,
    rerank: Option<&'a mut Rerank>,
) -> Vec<ModelServer<'a>> {
    let mut found = Vec::new();
    found.extend(embedding.into_iter().flat_map(embedding_servers));
    found.extend(generation.into_iter().flat_map(generation_servers));
    found.extend(rerank.map(|rerank| {
        let Rerank { provider: _, base_url, model, candidates: _, timeout_seconds: _, secret_ref } = rerank;
        ModelServer {
            field: "spec.rerank".to_owned(),
            address_field: "baseUrl",
            model_field: "model",
            base_url: base_url.clone(),
            model: model.clone(),
            secret_ref,
            variable: env::RERANK_API_KEY,
            folder: "rerank-api-key",
        }
    }));
    found
}

fn embedding_servers(embedding: &mut Embedding) -> Vec<ModelServer<'_>> {
    let place = Place { path: "spec.embedding", variable: env::EMBEDDING_API_KEY, folder: "embedding-api-key" };
    let mut found = Vec::new();
    if let Some(server) = &mut embedding.open_ai_compatible {
        found.push(place.server("openAiCompatible", NAMED, &server.base_url, &server.model, &mut server.secret_ref));
    }
    if let Some(hosted) = &mut embedding.open_ai {
        let base_url = hosted.base_url.as_deref().unwrap_or(addresses::OPENAI);
        found.push(place.server("openAi", NAMED, base_url, &hosted.model, &mut hosted.secret_ref));
    }
    if let Some(azure) = &mut embedding.azure_open_ai {
        found.push(place.server("azureOpenAi", ["endpoint", "model"], &azure.endpoint, &azure.model, &mut azure.secret_ref));
    }
    if let Some(hosted) = &mut embedding.open_router {
        let base_url = hosted.base_url.as_deref().unwrap_or(addresses::OPENROUTER);
        found.push(place.server("openRouter", NAMED, base_url, &hosted.model, &mut hosted.secret_ref));
    }
    if let Some(server) = &mut embedding.text_embeddings_inference {
        found.push(place.server("textEmbeddingsInference", NAMED, &server.base_url, &server.model, &mut server.secret_ref));
    }
    found
}

fn generation_servers(generation: &mut Generation) -> Vec<ModelServer<'_>> {
    let Generation {
        open_ai_compatible, open_ai, azure_open_ai, anthropic, gemini, open_router, fallbacks, short_questions, ..
    } = generation;
    let place = Place { path: "spec.generation", variable: env::GENERATION_API_KEY, folder: "generation-api-key" };
    let mut found = Vec::new();
    if let Some(server) = open_ai_compatible {
        found.push(place.server("openAiCompatible", NAMED, &server.base_url, &server.model, &mut server.secret_ref));
    }
    found.extend(open_ai.as_mut().map(|hosted| place.hosted("openAi", addresses::OPENAI, hosted)));
    if let Some(azure) = azure_open_ai {
        found.push(place.server("azureOpenAi", AZURE, &azure.endpoint, &azure.deployment, &mut azure.secret_ref));
    }
    found.extend(anthropic.as_mut().map(|hosted| place.hosted("anthropic", addresses::ANTHROPIC, hosted)));
    if let Some(gemini) = gemini {
        let base_url = gemini.base_url.as_deref().unwrap_or(addresses::GEMINI);
        found.push(place.server("gemini", NAMED, base_url, &gemini.model, &mut gemini.secret_ref));
    }
    found.extend(open_router.as_mut().map(|hosted| place.hosted("openRouter", addresses::OPENROUTER, hosted)));
    let places = env::GENERATION_FALLBACK_API_KEYS.into_iter().zip(FALLBACK_FOLDERS);
    for (number, (writer, (variable, folder))) in fallbacks.iter_mut().flatten().zip(places).enumerate() {
        let path = format!("spec.generation.fallbacks[{number}]");
        found.extend(writer_server(Place { path: &path, variable, folder }, writer));
    }
    if let Some(short) = short_questions {
        let path = "spec.generation.shortQuestions.provider";
        let place = Place { path, variable: env::GENERATION_SHORT_API_KEY, folder: "generation-short-api-key" };
        found.extend(writer_server(place, &mut short.provider));
    }
    found
}

fn writer_server<'a>(place: Place<'_>, writer: &'a mut Writer) -> Option<ModelServer<'a>> {
    let Writer { builtin: _, open_ai_compatible, open_ai, azure_open_ai, anthropic, gemini, open_router } = writer;
    if let Some(server) = open_ai_compatible {
        return Some(place.server("openAiCompatible", NAMED, &server.base_url, &server.model, &mut server.secret_ref));
    }
    if let Some(hosted) = open_ai {
        return Some(place.hosted("openAi", addresses::OPENAI, hosted));
    }
    if let Some(azure) = azure_open_ai {
        return Some(place.server("azureOpenAi", AZURE, &azure.endpoint, &azure.deployment, &mut azure.secret_ref));
    }
    if let Some(hosted) = anthropic {
        return Some(place.hosted("anthropic", addresses::ANTHROPIC, hosted));
    }
    if let Some(gemini) = gemini {
        let base_url = gemini.base_url.as_deref().unwrap_or(addresses::GEMINI);
        return Some(place.server("gemini", NAMED, base_url, &gemini.model, &mut gemini.secret_ref));
    }
    open_router.as_mut().map(|hosted| place.hosted("openRouter", addresses::OPENROUTER, hosted))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn generation(value: Value) -> Generation {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_place_has_its_address_and_its_variable() {
        let mut spec = generation(json!({
            "openAi": {"model": "m"},
            "fallbacks": [{"builtin": {}}, {"anthropic": {"model": "c", "baseUrl": "http://proxy/v1"}}],
            "shortQuestions": {"provider": {"gemini": {"model": "g"}}},
        }));
        let found = servers(None, Some(&mut spec), None);
        let told: Vec<_> = found.iter().map(|s| (s.field.as_str(), s.base_url.as_str(), s.variable)).collect();
        assert_eq!(
            told,
            [
                ("spec.generation.openAi", addresses::OPENAI, env::GENERATION_API_KEY),
                ("spec.generation.fallbacks[1].anthropic", "http://proxy/v1", env::GENERATION_FALLBACK_API_KEYS[1]),
                ("spec.generation.shortQuestions.provider.gemini", addresses::GEMINI, env::GENERATION_SHORT_API_KEY),
            ]
        );
    }
}
