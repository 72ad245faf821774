//! The bounds of a class hold for whatever in the resource's schema leads to a server of models or names an image. Who adds a
//! provider, or a place for one, and forgets the bounds is told here; the operator is asked as it is, the chart's policy in
//! `apiserver::classes`.

mod cases;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::Path,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, JSONSchemaPropsOrArray};
use ragline_crds::{RagPipeline, RagPipelineClass, definition};
use ragline_operator::plan::{
    class,
    models::{EMBEDDING_PROVIDERS, Provider, RERANKERS, WRITING_PROVIDERS},
    pipeline::Defaults,
    validate::validate,
};
use serde_json::Value;

pub(crate) use cases::{Case, cases};

/// A field of the spec, by its path below `spec`; `[]` stands for an item of a list.
pub(crate) type Fields = BTreeMap<String, JSONSchemaProps>;

/// Where providers can stand: the path, the policy's list of what is there, and which ones.
pub(crate) const PLACES: [(&str, &str, &[&Provider]); 5] = [
    ("embedding.", "embeddings", &EMBEDDING_PROVIDERS),
    ("generation.", "writers", &WRITING_PROVIDERS),
    ("generation.fallbacks[].", "writers", &WRITING_PROVIDERS),
    ("generation.shortQuestions.provider.", "writers", &WRITING_PROVIDERS),
    ("", "specs", &RERANKERS),
];
/// What has an address, a key or the like, and no model.
const NO_MODELS: [&str; 5] = ["auth.oidc", "cache.external", "cache.external.sentinel", "generation.prices", "tracing"];
/// What stands among providers and is none that is asked over a network.
const NO_SERVERS: [&str; 4] = ["builtin", "fallbacks", "prices", "shortQuestions"];

/// What the policy looks at of one provider.
type Expression = fn(&Provider) -> String;

/// Every field of a pipeline's spec.
pub(crate) fn fields() -> Fields {
    let version = definition().spec.versions.remove(0);
    let spec = version.schema.unwrap().open_api_v3_schema.unwrap().properties.unwrap().remove("spec").unwrap();
    let mut found = Fields::new();
    walk("", &spec, &mut found);
    found
}

fn walk(path: &str, schema: &JSONSchemaProps, found: &mut Fields) {
    for (name, schema) in schema.properties.iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        walk(&path, schema, found);
        if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
            walk(&format!("{path}[]"), item, found);
        }
        found.insert(path, schema.clone());
    }
}

/// What the operator's tables say of each place.
fn known() -> BTreeMap<String, &'static Provider> {
    let providers = PLACES.iter().flat_map(|(path, _, providers)| providers.iter().map(move |one| (path, *one)));
    providers.map(|(path, provider)| (format!("{path}{}", provider.name), provider)).collect()
}

/// Whether a part of the spec may lead to a server of models: by what it holds, or by standing among those that do.
fn leads_to_a_model(path: &str, schema: &JSONSchemaProps) -> bool {
    let is_address = |schema: &JSONSchemaProps| schema.pattern.as_deref().is_some_and(|pattern| pattern.starts_with("^http"));
    let tells = |(name, schema): (&String, &JSONSchemaProps)| {
        ["model", "deployment", "secretRef"].contains(&name.as_str()) || is_address(schema)
    };
    let (place, name) = path.rsplit_once('.').map_or(("", path), |(place, name)| (place, name));
    let among = !place.is_empty() && PLACES.iter().any(|(path, _, _)| path.strip_suffix('.') == Some(place));
    let holds = schema.properties.as_ref().is_some_and(|properties| properties.iter().any(tells));
    let stands = among && schema.type_.as_deref() == Some("object") && !NO_SERVERS.contains(&name);
    (holds || stands) && !NO_MODELS.contains(&path)
}

#[test]
fn the_tables_of_providers_name_all_that_lead_to_a_model() {
    let fields = fields();
    let found: BTreeSet<_> =
        fields.iter().filter(|(path, schema)| leads_to_a_model(path, schema)).map(|(path, _)| path).collect();
    let known = known();
    assert_eq!(found, known.keys().collect(), "plan/models.rs of the operator must know every provider in every place");
    for (path, Provider { name: _, address_field, model_field, own_address }) in known {
        let schema = &fields[&path];
        let required = schema.required.clone().unwrap_or_default();
        let properties = schema.properties.as_ref().unwrap();
        assert!(properties.contains_key(*model_field), "{path}.{model_field}");
        assert!(properties[*address_field].pattern.as_deref().unwrap().starts_with("^https?://"), "{path}.{address_field}");
        assert_eq!(required.iter().any(|field| field == address_field), own_address.is_none(), "{path}.{address_field}");
    }
}

/// What the operator says of a spec under a class.
pub(crate) fn operator_says(spec: &Value, class_spec: &Value) -> Result<(), String> {
    let pipeline = RagPipeline::new("a", serde_json::from_value(spec.clone()).unwrap());
    let class = RagPipelineClass::new("bounds", serde_json::from_value(class_spec.clone()).unwrap());
    let image = || "image:1".to_owned();
    let defaults = Defaults {
        gateway_image: image(),
        postgres_image: image(),
        valkey_image: image(),
        operator_namespace: "ragline-system".to_owned(),
    };
    let filled = class::filled(&pipeline, &class).map_err(|refusal| refusal.to_string())?;
    let checked = validate(&filled, &defaults).map_err(|refusal| refusal.to_string())?;
    class::check(&checked, &class).map_err(|refusal| refusal.to_string())
}

#[test]
fn the_operator_keeps_every_provider_and_image_within_the_class() {
    let cases = cases();
    assert!(cases.len() > 150, "{} cases only: this test looks at nothing", cases.len());
    for Case { name, class, spec, refused } in cases {
        let said = operator_says(&spec, &class);
        match refused {
            None => assert_eq!(said, Ok(()), "{name}: {spec}"),
            Some(field) => {
                let refusal = said.expect_err(&format!("{name}: {spec}"));
                assert!(refusal.contains(&field) && refusal.contains("(RagPipelineClass bounds)"), "{name}: {refusal}");
            }
        }
    }
}

/// The policy's variables that hold what is asked where; one line for each provider and list.
fn policy_variables() -> String {
    let mut text = "# Generated from the providers that the operator knows (plan/models.rs); `UPDATE=1 cargo test -p ragline-tests` writes it\n\
                    # again.\n"
        .to_owned();
    let mut lists: Vec<(&str, &[&Provider])> = Vec::new();
    for (_, list, providers) in PLACES {
        if !lists.iter().any(|(known, _)| *known == list) {
            lists.push((list, providers));
        }
    }
    let address = |Provider { name, address_field, own_address, .. }: &Provider| {
        let own = own_address.unwrap_or_default();
        format!("has(one.{name}), one.{name}.?{address_field}.orValue('{own}')")
    };
    let model = |Provider { name, model_field, .. }: &Provider| {
        format!("one.?{name}.?{model_field}.hasValue(), one.{name}.{model_field}")
    };
    for (variable, expression) in [("servers", address as Expression), ("models", model)] {
        let providers = lists.iter().flat_map(|(list, providers)| providers.iter().map(move |one| (list, one)));
        let lines = providers.map(|(list, provider)| format!("variables.{list}.map(one, {})", expression(provider)));
        let lines: Vec<_> = lines.collect();
        writeln!(text, "- name: {variable}\n  expression: >-\n    {}", lines.join("\n    + ")).unwrap();
    }
    text
}

#[test]
fn the_policy_of_the_chart_looks_at_the_same_providers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("charts/ragline/files/class_models.yaml");
    let wanted = policy_variables();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), wanted, "run UPDATE=1 cargo test -p ragline-tests");
}
