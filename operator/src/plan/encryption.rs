//! Whether the storage class of a pipeline declares that its volumes are encrypted. Pure. What a class does is known to its
//! provisioner alone; what it declares can be read.

use k8s_openapi::api::storage::v1::StorageClass;

use super::pipeline::ManagedPostgres;

/// The label by which an administrator vouches for a class whose parameters do not tell.
const LABEL: &str = "ragline.dev/encrypted";
/// The annotation of the cluster's default class.
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
/// Parameters that switch encryption on, as provisioners name them.
const SWITCHES: [&str; 4] = ["encrypted", "encryption", "secure", "csi.storage.k8s.io/encrypted"];
/// Parameters that name a key or a set of keys; any value means encrypted.
const KEYS: [&str; 5] = [
    "kmsKeyId",
    "disk-encryption-kms-key",
    "diskEncryptionSetID",
    "encryptionKMSID",
    "csi.storage.k8s.io/node-stage-secret-name",
];

/// Why nothing may be made on the class, `None` where it may. `classes` is `None` where they may not be read.
pub fn objection(postgres: &ManagedPostgres, classes: Option<&[StorageClass]>) -> Option<String> {
    if !postgres.encryption_required {
        return None;
    }
    let Some(classes) = classes else {
        return Some("the operator watches single namespaces and may not read storage classes".to_owned());
    };
    let named = |class: &&StorageClass| match &postgres.storage_class {
        Some(name) => class.metadata.name.as_ref() == Some(name),
        None => is_default(class),
    };
    let Some(class) = classes.iter().find(named) else {
        let which = postgres.storage_class.as_deref().unwrap_or("that is the default");
        return Some(format!("there is no storage class {which}"));
    };
    let name = class.metadata.name.as_deref().unwrap_or_default();
    (!declares(class)).then(|| format!("storage class {name} does not declare that its volumes are encrypted"))
}

fn is_default(class: &StorageClass) -> bool {
    class.metadata.annotations.as_ref().and_then(|annotations| annotations.get(DEFAULT)).is_some_and(|value| value == "true")
}

fn declares(class: &StorageClass) -> bool {
    let labelled = class.metadata.labels.as_ref().and_then(|labels| labels.get(LABEL)).is_some_and(|value| value == "true");
    let parameters = class.parameters.iter().flatten();
    labelled
        || parameters.into_iter().any(|(name, value)| {
            let on = matches!(value.to_lowercase().as_str(), "true" | "yes" | "on");
            (SWITCHES.iter().any(|switch| switch.eq_ignore_ascii_case(name)) && on)
                || (KEYS.iter().any(|key| key.eq_ignore_ascii_case(name)) && !value.is_empty())
        })
}

#[cfg(test)]
mod tests {
    use ragline_crds::{RagPipeline, RagPipelineSpec};
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::{pipeline::Defaults, validate::validate};

    fn postgres(storage: Value) -> ManagedPostgres {
        let spec: RagPipelineSpec = serde_json::from_value(json!({"postgres": {"managed": {"storage": storage}}})).unwrap();
        validate(&RagPipeline::new("a", spec), &Defaults::of_tests()).unwrap().managed_postgres().unwrap().clone()
    }

    fn class(name: &str, metadata: Value, parameters: Value) -> StorageClass {
        let mut class = json!({"metadata": metadata, "provisioner": "p", "parameters": parameters});
        class["metadata"]["name"] = json!(name);
        serde_json::from_value(class).unwrap()
    }

    #[test]
    fn only_a_class_that_declares_it_counts_as_encrypted() {
        let default = json!({"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}});
        let classes = [
            class("plain", default, json!({"type": "gp3"})),
            class("off", json!({}), json!({"encrypted": "false"})),
            class("on", json!({}), json!({"encrypted": "true"})),
            class("key", json!({}), json!({"disk-encryption-kms-key": "projects/p"})),
            class("vouched", json!({"labels": {"ragline.dev/encrypted": "true"}}), json!({})),
        ];
        let objects = |storage: Value| objection(&postgres(storage), Some(&classes));
        for name in ["on", "key", "vouched"] {
            assert_eq!(objects(json!({"encryption": "Required", "storageClassName": name})), None, "{name}");
        }
        for (name, words) in [("plain", "plain does not declare"), ("off", "off does not"), ("none", "no storage class none")] {
            let objection = objects(json!({"encryption": "Required", "storageClassName": name})).unwrap();
            assert!(objection.contains(words), "{objection}");
        }
        assert!(
            objects(json!({"encryption": "Required"})).unwrap().contains("plain"),
            "the default class counts where none is named"
        );
        assert_eq!(objects(json!({})), None);
        assert!(objection(&postgres(json!({"encryption": "Required"})), None).unwrap().contains("may not read"));
    }
}
