//! Shows every object that a manifest leads to, without a cluster.

use super::{
    build,
    certificates::{self, Certificates},
    credentials::Credentials,
    manifest::{self, ManifestError},
    pipeline::Defaults,
    validate::{self, Refusal},
};

/// Stands for the UID that only a cluster gives.
const UID: &str = "00000000-0000-0000-0000-000000000000";

/// Why a manifest cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("the spec is refused: {0}")]
    Refused(Refusal),
    #[error("an object does not write as YAML")]
    Write(#[source] Box<serde_saphyr::ser::Error>),
}

/// All objects as one YAML stream, in the order in which they are applied. Passwords are placeholders, since the real ones are
/// drawn in the cluster. Index Jobs are not among them: they come and go with the data.
///
/// # Errors
/// The manifest cannot be read, or its spec is refused.
pub fn render(yaml: &str, namespace: &str, defaults: &Defaults) -> Result<String, RenderError> {
    let mut stream = String::new();
    for mut manifest in manifest::parse(yaml)? {
        let metadata = &mut manifest.metadata;
        metadata.namespace.get_or_insert_with(|| namespace.to_owned());
        metadata.uid.get_or_insert_with(|| UID.to_owned());
        let pipeline = validate::validate(&manifest, defaults).map_err(RenderError::Refused)?;
        let certificates = Certificates::placeholders(&certificates::wanted(&pipeline));
        let credentials = Credentials { certificates, ..Credentials::placeholders() };
        for object in build::build(&pipeline, &credentials).iter() {
            let text = serde_saphyr::to_string(&object.to_value()).map_err(|error| RenderError::Write(Box::new(error)))?;
            stream.push_str("---\n");
            stream.push_str(&text);
        }
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with the file of that name, or writes it when UPDATE is set.
    fn check(name: &str, yaml: &str) {
        let path = format!("{}/src/plan/golden/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let wanted = render(yaml, "default", &Defaults::of_tests()).unwrap();
        assert_eq!(wanted, render(yaml, "default", &Defaults::of_tests()).unwrap(), "the same input gives the same bytes");
        #[expect(clippy::disallowed_methods, reason = "a test reads its golden file")]
        if std::env::var("UPDATE").is_ok() {
            std::fs::write(&path, &wanted).unwrap();
        }
        #[expect(clippy::disallowed_methods, reason = "a test reads its golden file")]
        let golden = std::fs::read_to_string(&path).unwrap();
        assert!(golden == wanted, "{path} differs; look at it, then UPDATE=1 cargo test -p ragline-operator render");
    }

    #[test]
    fn the_quickstart_leads_to_these_objects() {
        check("quickstart", include_str!("../../../crds/examples/quickstart.yaml"));
    }

    #[test]
    fn workers_get_a_deployment_of_their_own_and_the_gateways_leave_documents_to_them() {
        check("workers", include_str!("../../../crds/examples/workers.yaml"));
    }

    #[test]
    fn the_full_examples_lead_to_these_objects() {
        check("full", include_str!("../../../crds/examples/full.yaml"));
    }

    #[test]
    fn a_refused_spec_is_named_by_its_path() {
        let yaml = "apiVersion: ragline.dev/v1alpha1\nkind: RagPipeline\nmetadata: {name: a}\n\
                    spec: {cache: {managed: {}, disabled: {}}, chunking: {minTokens: 800, maxTokens: 900}}\n";
        let error = render(yaml, "default", &Defaults::of_tests()).unwrap_err().to_string();
        assert!(error.contains("spec.cache: name only one of managed, external and disabled"), "{error}");
        assert!(error.contains("spec.chunking.minTokens: "), "{error}");
    }
}
