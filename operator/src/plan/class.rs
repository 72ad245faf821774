//! The class of a pipeline: which one it is, what it fills in, and what it forbids. Pure.

use ragline_crds::{
    RagPipeline, RagPipelineClass, RagPipelineSpec,
    class::{ClassImages, ClassLimits, ClassModels},
    spec::{Generation, Quantity},
};

use super::{
    models::{self, ModelServer, Provider},
    pipeline::{Pipeline, Postgres},
    quantity::bytes,
    validate::{Problem, Refusal},
};

/// The class that holds for a pipeline, `None` where it names none and none is the default.
///
/// # Errors
/// The class that it names does not exist, or several are the default.
pub fn of<'a>(spec: &RagPipelineSpec, classes: &'a [RagPipelineClass]) -> Result<Option<&'a RagPipelineClass>, Refusal> {
    let name = |class: &RagPipelineClass| class.metadata.name.clone().unwrap_or_default();
    let refuse = |message: String| Err(Refusal { problems: vec![Problem { field: "spec.className".to_owned(), message }] });
    if let Some(wanted) = &spec.class_name {
        return match classes.iter().find(|class| name(class) == *wanted) {
            Some(class) => Ok(Some(class)),
            None => refuse(format!("there is no RagPipelineClass {wanted}; see kubectl get ragpipelineclasses")),
        };
    }
    let defaults: Vec<_> = classes.iter().filter(|class| class.spec.default.unwrap_or_default()).collect();
    match defaults.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let names: Vec<_> = several.iter().map(|class| name(class)).collect();
            refuse(format!("name one of {}: several classes are the default", names.join(", ")))
        }
    }
}

/// The pipeline with the class's defaults where its spec says nothing.
///
/// # Errors
/// Everything in the spec that the class forbids.
pub fn filled(pipeline: &RagPipeline, class: &RagPipelineClass) -> Result<RagPipeline, Refusal> {
    let mut filled = pipeline.clone();
    let mut problems = Vec::new();
    let namespace = pipeline.metadata.namespace.clone().unwrap_or_default();
    if class.spec.allowed_namespaces.as_ref().is_some_and(|list| !list.contains(&namespace)) {
        let message = format!("cannot be this class in the namespace {namespace}; name another one");
        problems.push(Problem { field: "spec.className".to_owned(), message });
    }
    images(&mut filled.spec, class, &mut problems);
    if let Some(storage_class) = &class.spec.storage_class_name
        && filled.spec.postgres.as_ref().is_none_or(|postgres| postgres.external.is_none() && postgres.cloud_native_pg.is_none())
    {
        let managed = filled.spec.postgres.get_or_insert_default().managed.get_or_insert_default();
        managed.storage.get_or_insert_default().storage_class_name.get_or_insert_with(|| storage_class.clone());
    }
    if let Some(models) = &class.spec.models {
        fill_models(&mut filled.spec, models, &mut problems);
    }
    refused(problems, class)?;
    Ok(filled)
}

/// Whether a checked pipeline stays within the bounds.
///
/// # Errors
/// Every amount that goes beyond.
pub fn check(pipeline: &Pipeline, class: &RagPipelineClass) -> Result<(), Refusal> {
    let Some(limits) = &class.spec.limits else { return Ok(()) };
    let ClassLimits {
        gateway_replicas,
        worker_replicas,
        postgres_replicas,
        gateway_memory,
        postgres_memory,
        postgres_storage,
        cache_memory,
    } = limits;
    let mut problems = Vec::new();
    let mut bound = |field: &str, has: Option<u64>, most: Option<u64>, words: String| {
        if let (Some(has), Some(most)) = (has, most)
            && has > most
        {
            problems.push(Problem { field: field.to_owned(), message: format!("must be at most {words}") });
        }
    };
    let number = |most: &Option<u32>| (most.map(u64::from), most.unwrap_or_default().to_string());
    let amount = |most: &Option<Quantity>| (most.as_ref().and_then(bytes), most.clone().unwrap_or_default().0);
    let (most, words) = number(gateway_replicas);
    bound("spec.gateway.replicas (or autoscaling.maxReplicas)", Some(u64::from(pipeline.gateway.scale.most())), most, words);
    let (most, words) = number(worker_replicas);
    bound("spec.ingest.workers.replicas", pipeline.workers.as_ref().map(|workers| u64::from(workers.replicas)), most, words);
    let (field, has, own) = match &pipeline.postgres {
        Postgres::Managed(postgres) => ("spec.postgres.managed.replicas", Some(postgres.replicas), 0),
        Postgres::CloudNativePg { instances, .. } => ("spec.postgres.cloudNativePg.instances", Some(*instances), 1),
        Postgres::External { .. } => ("spec.postgres", None, 0),
    };
    let (most, words) = number(&postgres_replicas.map(|replicas| replicas.saturating_add(own)));
    bound(field, has.map(u64::from), most, words);
    let (most, words) = amount(gateway_memory);
    bound("spec.gateway.resources.limits.memory", Some(pipeline.gateway.resources.memory_bytes), most, words.clone());
    let workers = pipeline.workers.as_ref().map(|workers| workers.resources.memory_bytes);
    bound("spec.ingest.workers.resources.limits.memory", workers, most, words);
    let postgres = pipeline.own_postgres();
    let (most, words) = amount(postgres_memory);
    let field = "spec.postgres.managed.resources.limits.memory (or cloudNativePg)";
    bound(field, postgres.map(|postgres| postgres.resources.memory_bytes), most, words);
    let (most, words) = amount(postgres_storage);
    bound(
        "spec.postgres.managed.storage.size (or cloudNativePg)",
        postgres.and_then(|postgres| bytes(&postgres.storage_size)),
        most,
        words,
    );
    let (most, words) = amount(cache_memory);
    bound("spec.cache.managed.maxMemory", pipeline.managed_cache().map(|cache| cache.max_memory_bytes), most, words);
    refused(problems, class)
}

fn refused(mut problems: Vec<Problem>, class: &RagPipelineClass) -> Result<(), Refusal> {
    let name = class.metadata.name.as_deref().unwrap_or_default();
    for problem in &mut problems {
        problem.message.push_str(&format!(" (RagPipelineClass {name})"));
    }
    if problems.is_empty() { Ok(()) } else { Err(Refusal { problems }) }
}

fn images(spec: &mut RagPipelineSpec, class: &RagPipelineClass, problems: &mut Vec<Problem>) {
    let ClassImages { gateway, postgres, valkey } = class.spec.images.clone().unwrap_or_default();
    let own = [
        ("spec.gateway.image", spec.gateway.as_ref().and_then(|gateway| gateway.image.as_ref())),
        ("spec.postgres.managed.image", spec.postgres.as_ref().and_then(|postgres| postgres.managed.as_ref()?.image.as_ref())),
        (
            "spec.postgres.cloudNativePg.image",
            spec.postgres.as_ref().and_then(|postgres| postgres.cloud_native_pg.as_ref()?.image.as_ref()),
        ),
        ("spec.cache.managed.image", spec.cache.as_ref().and_then(|cache| cache.managed.as_ref()?.image.as_ref())),
    ];
    if !class.spec.allow_images.unwrap_or(true) {
        for (field, _) in own.iter().filter(|(_, image)| image.is_some()) {
            problems.push(Problem { field: (*field).to_owned(), message: "cannot be named here; leave it out".to_owned() });
        }
    }
    if let Some(image) = gateway {
        spec.gateway.get_or_insert_default().image.get_or_insert(image);
    }
    if let Some(image) = postgres
        && spec.postgres.as_ref().is_none_or(|postgres| postgres.external.is_none() && postgres.cloud_native_pg.is_none())
    {
        spec.postgres.get_or_insert_default().managed.get_or_insert_default().image.get_or_insert(image);
    }
    if let Some(image) = valkey
        && spec.cache.as_ref().is_none_or(|cache| cache.external.is_none() && cache.disabled.is_none())
    {
        spec.cache.get_or_insert_default().managed.get_or_insert_default().image.get_or_insert(image);
    }
}

/// Whether every server of models that the spec names is allowed, and then the class's own where the spec says nothing of it.
fn fill_models(spec: &mut RagPipelineSpec, models: &ClassModels, problems: &mut Vec<Problem>) {
    let ClassModels { allowed_base_urls, allowed_models, secret_ref, generation } = models;
    for server in models::servers(spec.embedding.as_mut(), spec.generation.as_mut(), spec.rerank.as_mut()) {
        let ModelServer { field, provider, base_url, model, secret_ref: _, variable: _, folder: _ } = server;
        let Provider { name: _, address_field, model_field, own_address: _ } = provider;
        let same = |one: &String| one.trim_end_matches('/') == base_url.trim_end_matches('/');
        if let Some(list) = allowed_base_urls.as_ref().filter(|list| !list.iter().any(same)) {
            let list = list.join(", ");
            let allowed = if list.is_empty() { "none, only built-in models are allowed" } else { &list };
            let problem = Problem { field: format!("{field}.{address_field}"), message: format!("must be one of: {allowed}") };
            problems.push(problem);
        }
        if let (Some(list), Some(model)) = (allowed_models, model)
            && !list.contains(&model)
        {
            let message = format!("{model} is not allowed; use one of: {}", list.join(", "));
            problems.push(Problem { field: format!("{field}.{model_field}"), message });
        }
    }
    if let (None, Some(writer)) = (&spec.generation, generation) {
        let filled = Generation::from(writer.clone());
        if filled == Generation::default() {
            let message = "must name a provider: the class's models.generation names none".to_owned();
            problems.push(Problem { field: "spec.generation".to_owned(), message });
        }
        spec.generation = Some(filled);
    }
    for server in models::servers(spec.embedding.as_mut(), spec.generation.as_mut(), spec.rerank.as_mut()) {
        if server.secret_ref.is_none() {
            server.secret_ref.clone_from(secret_ref);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::{pipeline::Defaults, validate::validate};

    fn class(name: &str, spec: Value) -> RagPipelineClass {
        RagPipelineClass::new(name, serde_json::from_value(spec).unwrap())
    }

    /// What comes out: the checked pipeline, or the problems.
    fn outcome(spec: Value, class_spec: Value) -> Result<Pipeline, String> {
        let pipeline = RagPipeline::new("a", serde_json::from_value(spec).unwrap());
        let class = class("small", class_spec);
        let filled = filled(&pipeline, &class).map_err(|refusal| refusal.to_string())?;
        let checked = validate(&filled, &Defaults::of_tests()).map_err(|refusal| refusal.to_string())?;
        check(&checked, &class).map_err(|refusal| refusal.to_string())?;
        Ok(checked)
    }

    #[test]
    fn a_pipeline_is_of_the_class_that_it_names_or_of_the_only_default() {
        let classes = [class("a", json!({})), class("b", json!({"default": true})), class("c", json!({}))];
        let of_name = |name: Option<&str>, classes: &[RagPipelineClass]| {
            let spec = RagPipelineSpec { class_name: name.map(str::to_owned), ..RagPipelineSpec::default() };
            of(&spec, classes).map(|class| class.and_then(|class| class.metadata.name.clone())).map_err(|e| e.to_string())
        };
        assert_eq!(of_name(Some("c"), &classes), Ok(Some("c".to_owned())));
        assert_eq!(of_name(None, &classes), Ok(Some("b".to_owned())));
        assert_eq!(of_name(None, &classes[..1]), Ok(None));
        assert!(of_name(Some("d"), &classes).unwrap_err().contains("there is no RagPipelineClass d"));
        let two = [class("a", json!({"default": true})), class("b", json!({"default": true}))];
        assert!(of_name(None, &two).unwrap_err().contains("name one of a, b"));
    }

    #[test]
    fn what_the_spec_leaves_out_comes_from_the_class() {
        let class = json!({
            "images": {"gateway": "g:2", "postgres": "p:2"}, "storageClassName": "fast",
            "models": {"secretRef": {"name": "platform", "key": "k"}, "generation": {"anthropic": {"model": "m"}}},
        });
        let checked = outcome(json!({"gateway": {"image": "own:1"}}), class).unwrap();
        assert_eq!(checked.gateway.image, "own:1");
        let postgres = checked.managed_postgres().unwrap();
        assert_eq!((postgres.image.as_str(), postgres.storage_class.as_deref()), ("p:2", Some("fast")));
        assert_eq!(checked.secrets.iter().map(|named| named.secret.name.as_str()).collect::<Vec<_>>(), ["platform"]);
        assert_eq!(checked.config.generation.provider.label(), "anthropic");
    }

    #[test]
    fn the_lists_do_not_bound_what_the_class_itself_fills_in() {
        let generation = json!({"azureOpenAi": {"endpoint": "https://p.openai.azure.com", "deployment": "d"}});
        let class = json!({"models": {"allowedBaseUrls": [], "allowedModels": [], "generation": generation}});
        assert_eq!(outcome(json!({}), class.clone()).unwrap().config.generation.provider.label(), "azure_openai");
        assert_eq!(outcome(json!({"generation": {}}), class.clone()).unwrap().config.generation.provider.label(), "builtin");
        assert!(outcome(json!({"generation": generation}), class).unwrap_err().contains("only built-in models"));
    }

    #[test]
    fn a_class_whose_generation_names_no_provider_is_told_of() {
        // What an API server makes of a class of an older version, whose fields it no longer knows.
        let class = json!({"models": {"generation": {}}});
        assert!(outcome(json!({}), class.clone()).unwrap_err().contains("models.generation names none"));
        assert!(outcome(json!({"generation": {"builtin": {}}}), class).is_ok());
    }

    #[test]
    fn a_class_is_for_the_namespaces_that_it_names() {
        let class = class("wide", json!({"allowedNamespaces": ["library"]}));
        let pipeline = |namespace: &str| {
            let mut pipeline = RagPipeline::new("a", RagPipelineSpec::default());
            pipeline.metadata.namespace = Some(namespace.to_owned());
            pipeline
        };
        assert!(filled(&pipeline("library"), &class).is_ok());
        let refusal = filled(&pipeline("other"), &class).unwrap_err().to_string();
        assert!(refusal.contains("spec.className: cannot be this class in the namespace other"), "{refusal}");
    }

    #[test]
    fn a_class_does_not_get_in_the_way_of_what_is_not_managed() {
        let class = json!({"images": {"postgres": "p:2", "valkey": "v:2"}, "storageClassName": "fast"});
        let spec = json!({"postgres": {"external": {"secretName": "s"}}, "cache": {"disabled": {}}});
        assert!(outcome(spec, class).unwrap().managed_postgres().is_none());
    }

    #[test]
    fn what_goes_beyond_the_class_is_named_by_field_and_class() {
        let limits = json!({"limits": {
            "gatewayReplicas": 3, "workerReplicas": 1, "gatewayMemory": "1Gi", "postgresMemory": "4Gi", "postgresStorage": "20Gi",
            "cacheMemory": "256Mi", "postgresReplicas": 1,
        }});
        assert!(outcome(json!({}), limits.clone()).is_ok());
        let cases = [
            (json!({"gateway": {"replicas": 4}}), "must be at most 3 (RagPipelineClass small)"),
            (json!({"gateway": {"autoscaling": {"maxReplicas": 4}}}), "autoscaling.maxReplicas"),
            (json!({"ingest": {"workers": {"replicas": 2}}}), "spec.ingest.workers.replicas: must be at most 1"),
            (json!({"gateway": {"resources": {"limits": {"memory": "1025Mi"}}}}), "spec.gateway.resources.limits.memory"),
            (json!({"postgres": {"managed": {"replicas": 2}}}), "spec.postgres.managed.replicas: must be at most 1"),
            (json!({"postgres": {"cloudNativePg": {}}}), "spec.postgres.cloudNativePg.instances: must be at most 2"),
            (json!({"postgres": {"managed": {"storage": {"size": "21Gi"}}}}), "must be at most 20Gi"),
            (json!({"cache": {"managed": {"maxMemory": "1Gi"}}}), "spec.cache.managed.maxMemory"),
            // A default counts as well as what is named.
            (json!({"dataset": {"expectedVectors": 1_000_000}}), "must be at most 4Gi"),
        ];
        for (spec, words) in cases {
            let refusal = outcome(spec.clone(), limits.clone()).unwrap_err();
            assert!(refusal.contains(words), "{spec}: {refusal}");
        }
    }

    #[test]
    fn images_and_models_that_the_class_does_not_allow_are_refused() {
        let class =
            json!({"allowImages": false, "models": {"allowedBaseUrls": ["https://m.example/v1"], "allowedModels": ["m"]}});
        let generation = |url: &str, model: &str| json!({"generation": {"openAiCompatible": {"baseUrl": url, "model": model}}});
        assert!(outcome(generation("https://m.example/v1/", "m"), class.clone()).is_ok());
        let cases = [
            (json!({"gateway": {"image": "own:1"}}), "spec.gateway.image: cannot be named here"),
            (generation("https://other.example/v1", "m"), "must be one of: https://m.example/v1"),
            (generation("https://m.example/v1", "n"), "n is not allowed; use one of: m"),
            (json!({"generation": {"anthropic": {"model": "m"}}}), "spec.generation.anthropic.baseUrl: must be one of"),
            (
                json!({"generation": {
                    "openAiCompatible": {"baseUrl": "https://m.example/v1", "model": "m"},
                    "fallbacks": [{"openAi": {"model": "m"}}],
                }}),
                "spec.generation.fallbacks[0].openAi.baseUrl",
            ),
            (
                json!({"embedding": {"azureOpenAi": {
                    "endpoint": "https://m.example/v1", "deployment": "large", "model": "m", "dimensions": 3,
                }}}),
                "spec.embedding.azureOpenAi.deployment: large is not allowed",
            ),
        ];
        for (spec, words) in cases {
            let refusal = outcome(spec.clone(), class.clone()).unwrap_err();
            assert!(refusal.contains(words), "{spec}: {refusal}");
        }
        let builtin_only = json!({"models": {"allowedBaseUrls": []}});
        assert!(outcome(json!({"generation": {"builtin": {}}}), builtin_only.clone()).is_ok());
        assert!(outcome(generation("https://m.example/v1", "m"), builtin_only).unwrap_err().contains("built-in"));
    }
}
