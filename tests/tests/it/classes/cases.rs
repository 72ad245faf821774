//! Specs that stay within a class and specs that leave it, made from the schema: for each provider in each place, another address
//! and another model, the provider's own address, and what only looks like the allowed one; each image; each amount.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use ragline_operator::plan::models::Provider;
use serde_json::{Value, json};

use super::{Fields, PLACES, fields};

/// A spec under a class.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) class: Value,
    pub(crate) spec: Value,
    /// The field that the operator's refusal names; `None` for what is taken.
    pub(crate) refused: Option<String>,
}

const ALLOWED: &str = "https://m.example/v1";
/// What is not it, however alike.
const OTHERS: [&str; 5] = [
    "https://evil.example/v1",
    "https://m.example/v1/../v2",
    "https://m.example/v1@evil.example",
    "http://m.example/v1",
    "https://M.example/v1",
];

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    let fields = fields();
    let mut cases = Vec::new();
    for (path, _, providers) in PLACES {
        for provider in providers {
            of_provider(&fields, path, provider, &mut cases);
        }
    }
    of_images(&fields, &mut cases);
    cases.extend(of_amounts());
    cases
}

fn of_provider(fields: &Fields, place: &str, provider: &Provider, cases: &mut Vec<Case>) {
    let Provider { name, address_field, model_field, own_address } = provider;
    let path = format!("{place}{name}");
    let class = json!({"models": {"allowedBaseUrls": [ALLOWED], "allowedModels": ["m"]}});
    let mut add = |what: &str, class: &Value, address: Option<&str>, model: &str, refused: Option<&str>| {
        let mut server = least(&fields[&path]);
        server[*model_field] = json!(model);
        match address {
            Some(address) => server[*address_field] = json!(address),
            None => drop(server.as_object_mut().unwrap().remove(*address_field)),
        }
        let refused = refused.map(|field| format!("spec.{}.{field}", path.replace("[]", "[3]")));
        cases.push(Case { name: format!("{path}: {what}"), class: class.clone(), spec: at(&path, server), refused });
    };
    add("the allowed address and model", &class, Some(ALLOWED), "m", None);
    add("a slash at the end", &class, Some("https://m.example/v1/"), "m", None);
    for other in OTHERS {
        add(other, &class, Some(other), "m", Some(address_field));
    }
    add("another model", &class, Some(ALLOWED), "n", Some(model_field));
    let builtin = json!({"models": {"allowedBaseUrls": []}});
    add("built-in models only", &builtin, Some(ALLOWED), "m", Some(address_field));
    let none = json!({"models": {"allowedModels": []}});
    add("no model", &none, Some(ALLOWED), "m", Some(model_field));
    if let Some(own) = own_address {
        add("the provider's own address", &class, None, "m", Some(address_field));
        // What the pipelines of these cases need besides is at the allowed address.
        let class = json!({"models": {"allowedBaseUrls": [ALLOWED, format!("{own}/")], "allowedModels": ["m"]}});
        add("the provider's own address, which is allowed", &class, None, "m", None);
        add("the provider's own address, named", &class, Some(own), "m", None);
    }
}

/// A spec with a value at a path. What stands in stands last of four, behind a language model that is allowed.
fn at(path: &str, value: Value) -> Value {
    let (mut value, mut rest) = (value, path);
    while !rest.is_empty() {
        let (before, name) = rest.rsplit_once('.').unwrap_or(("", rest));
        value = match name.strip_suffix("[]") {
            Some(name) => json!({name: [{"builtin": {}}, {"builtin": {}}, {"builtin": {}}, value]}),
            None => json!({name: value}),
        };
        rest = before;
    }
    if let Some(generation) = value.get_mut("generation")
        && (generation.get("fallbacks").is_some() || generation.get("shortQuestions").is_some())
    {
        generation["openAiCompatible"] = json!({"baseUrl": ALLOWED, "model": "m"});
    }
    value
}

/// The least that a schema takes.
fn least(schema: &JSONSchemaProps) -> Value {
    if let Some(choice) = schema.enum_.iter().flatten().next() {
        return choice.0.clone();
    }
    match schema.type_.as_deref() {
        Some("object") => {
            let required = schema.required.iter().flatten();
            required.map(|name| (name.clone(), least(&schema.properties.as_ref().unwrap()[name]))).collect()
        }
        Some("integer") => json!(schema.minimum.unwrap_or_default() as i64),
        _ => json!("a"),
    }
}

fn of_images(fields: &Fields, cases: &mut Vec<Case>) {
    let images: Vec<_> = fields.keys().filter(|path| *path == "image" || path.ends_with(".image")).collect();
    assert!(images.len() >= 4, "{images:?}");
    for path in images {
        let spec = at(path, json!("own:1"));
        let case = |what: &str, allow: bool, refused: Option<String>| Case {
            name: format!("{path}: {what}"),
            class: json!({"allowImages": allow}),
            spec: spec.clone(),
            refused,
        };
        cases.push(case("images are allowed", true, None));
        cases.push(case("images are not allowed", false, Some(format!("spec.{path}"))));
    }
}

/// Each limit of a class: what it takes, and each way of going beyond it. Amounts are text or numbers.
fn of_amounts() -> Vec<Case> {
    let memory = |at: &str, amount: Value| {
        let mut resources = json!({});
        resources[at]["memory"] = amount;
        json!({"resources": resources})
    };
    let managed = |value: Value| json!({"postgres": {"managed": value}});
    let cloud_native = |value: Value| json!({"postgres": {"cloudNativePg": value}});
    let (gi, many) = (json!("1Gi"), json!(2_147_483_648_u64));
    let limits = json!({"limits": {
        "gatewayReplicas": 3, "workerReplicas": 1, "gatewayMemory": "1Gi", "postgresMemory": 1_073_741_824, "postgresStorage": "10Gi",
        "cacheMemory": "256Mi", "postgresReplicas": 2,
    }});
    let taken = [
        json!({"gateway": {"replicas": 3}}),
        json!({"gateway": {"autoscaling": {"maxReplicas": 3}}}),
        json!({"gateway": memory("limits", gi.clone()), "ingest": {"workers": memory("limits", json!(1_073_741_824))}}),
        managed(memory("limits", gi.clone())),
        cloud_native(memory("limits", gi)),
        managed(json!({"storage": {"size": 10_737_418_240_u64}})),
        managed(json!({"replicas": 2})),
        cloud_native(json!({"instances": 3})),
        json!({"cache": {"managed": {"maxMemory": 268_435_456}}}),
    ];
    let beyond = [
        (json!({"gateway": {"replicas": 4}}), "spec.gateway.replicas"),
        (json!({"gateway": {"autoscaling": {"maxReplicas": 4}}}), "spec.gateway.replicas"),
        (json!({"gateway": {"autoscaling": {}}}), "spec.gateway.replicas"),
        (json!({"ingest": {"workers": {"replicas": 2}}}), "spec.ingest.workers.replicas"),
        (json!({"gateway": memory("limits", many.clone())}), "spec.gateway.resources.limits.memory"),
        (json!({"gateway": memory("requests", many.clone())}), "spec.gateway.resources.limits.memory"),
        (json!({"ingest": {"workers": memory("limits", json!("1025Mi"))}}), "spec.ingest.workers.resources.limits.memory"),
        (managed(memory("limits", many.clone())), "spec.postgres.managed.resources.limits.memory"),
        (managed(memory("requests", json!("2Gi"))), "spec.postgres.managed.resources.limits.memory"),
        (cloud_native(memory("limits", many)), "(or cloudNativePg)"),
        (managed(json!({"replicas": 3})), "spec.postgres.managed.replicas"),
        (cloud_native(json!({"instances": 4})), "spec.postgres.cloudNativePg.instances"),
        (managed(json!({"storage": {"size": "11Gi"}})), "spec.postgres.managed.storage.size"),
        (cloud_native(json!({"storage": {"size": "11Gi"}})), "(or cloudNativePg)"),
        (json!({"cache": {"managed": {"maxMemory": "257Mi"}}}), "spec.cache.managed.maxMemory"),
    ];
    let taken = taken.into_iter().map(|spec| (spec, None));
    let beyond = beyond.into_iter().map(|(spec, field)| (spec, Some(field.to_owned())));
    let case = |(spec, refused)| Case { name: "amounts".to_owned(), class: limits.clone(), spec, refused };
    taken.chain(beyond).map(case).collect()
}
