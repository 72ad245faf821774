//! The CustomResourceDefinition, as it is installed: what kube derives, put into the words that the API server knows.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use serde_json::json;

use crate::{RagPipeline, RagPipelineClass};

/// Where the generated definition lies in the repository.
pub const CRD_FILE: &str = "crds/ragline.dev_ragpipelines.yaml";

/// Where that of the classes lies.
pub const CLASS_CRD_FILE: &str = "crds/ragline.dev_ragpipelineclasses.yaml";

/// The CustomResourceDefinition of [`RagPipeline`].
pub fn definition() -> CustomResourceDefinition {
    let mut definition = settled(RagPipeline::crd());
    let schemas = definition.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut());
    for status in schemas.filter_map(|schema| schema.properties.as_mut()?.get_mut("status")) {
        // Helm, Argo CD and others take a resource without a status for one that is ready.
        status.default = Some(JSON(json!({"observedGeneration": 0})));
    }
    definition
}

/// The CustomResourceDefinition of [`RagPipelineClass`].
pub fn class_definition() -> CustomResourceDefinition {
    settled(RagPipelineClass::crd())
}

fn settled(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            settle(schema);
        }
    }
    definition
}

/// The definition of [`RagPipeline`] as a YAML file.
pub fn definition_yaml() -> String {
    yaml(&definition())
}

/// The definition of [`RagPipelineClass`] as a YAML file.
pub fn class_definition_yaml() -> String {
    yaml(&class_definition())
}

fn yaml(definition: &CustomResourceDefinition) -> String {
    let body = serde_saphyr::to_string(definition).expect("a CustomResourceDefinition is plain data");
    format!("# Generated from the types in crds/src; `UPDATE=1 cargo test -p ragline-crds` writes it again.\n{body}")
}

/// Rewrites formats that only Rust knows, joins the lines of a paragraph, and takes `nullable` away: a field is left out, not
/// null, so that no rule has to reckon with nulls.
fn settle(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(choices) = &mut schema.enum_ {
        choices.retain(|choice| !choice.0.is_null());
    }
    schema.description = schema.description.take().map(|text| text.replace('\n', " "));
    schema.format = match schema.format.take().as_deref() {
        Some("uint32" | "uint16" | "uint8" | "uint64" | "uint") => Some("int64".into()),
        other => other.map(str::to_owned),
    };
    if schema.x_kubernetes_int_or_string == Some(true) {
        // The form in which Kubernetes' own generators write it.
        let of = |type_: &str| JSONSchemaProps { type_: Some(type_.into()), ..JSONSchemaProps::default() };
        schema.type_ = None;
        schema.any_of = Some(vec![of("integer"), of("string")]);
    }
    let properties = schema.properties.iter_mut().flat_map(|properties| properties.values_mut());
    for child in properties {
        settle(child);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &mut schema.items {
        settle(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Above this, `kubectl apply` cannot keep the last applied version in its annotation.
    const APPLY_LIMIT_BYTES: usize = 262_144;

    #[test]
    fn the_files_in_the_repository_are_those_of_the_types() {
        for (file, wanted) in [(CRD_FILE, definition_yaml()), (CLASS_CRD_FILE, class_definition_yaml())] {
            let path = format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"));
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&path, &wanted).unwrap();
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), wanted, "run UPDATE=1 cargo test -p ragline-crds");
        }
    }

    #[test]
    fn it_is_small_enough_for_kubectl_apply() {
        assert!(serde_json::to_string(&definition()).unwrap().len() < APPLY_LIMIT_BYTES);
        assert!(definition_yaml().len() < APPLY_LIMIT_BYTES);
    }
}
