//! The CustomResourceDefinition, as it is installed: what kube derives, put into the words that the API server knows.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps};
use kube::CustomResourceExt;

use crate::RagPipeline;

/// Where the generated definition lies in the repository.
pub const CRD_FILE: &str = "crds/ragline.dev_ragpipelines.yaml";

/// The CustomResourceDefinition of [`RagPipeline`].
pub fn definition() -> CustomResourceDefinition {
    let mut definition = RagPipeline::crd();
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            settle(schema);
        }
    }
    definition
}

/// The definition as a YAML file.
///
/// # Panics
/// Never: the definition holds nothing that YAML cannot.
pub fn definition_yaml() -> String {
    let body = serde_saphyr::to_string(&definition()).expect("a CustomResourceDefinition is plain data");
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
    let properties = schema.properties.iter_mut().flat_map(|properties| properties.values_mut());
    for child in properties {
        settle(child);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Above this, `kubectl apply` cannot keep the last applied version in its annotation.
    const APPLY_LIMIT_BYTES: usize = 262_144;

    #[test]
    fn the_file_in_the_repository_is_the_one_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/ragline.dev_ragpipelines.yaml");
        let wanted = definition_yaml();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &wanted).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), wanted, "run UPDATE=1 cargo test -p ragline-crds");
    }

    #[test]
    fn it_is_small_enough_for_kubectl_apply() {
        assert!(serde_json::to_string(&definition()).unwrap().len() < APPLY_LIMIT_BYTES);
        assert!(definition_yaml().len() < APPLY_LIMIT_BYTES);
    }
}
