//! Names, labels and owners of objects.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use ragline_crds::{GROUP, VERSION, spec::DeletionPolicy};

use crate::plan::{
    names::{COMPONENT_LABEL, Component, INSTANCE_LABEL, MANAGED_BY_LABEL, MANAGER},
    pipeline::Pipeline,
};

/// Labels by which one part of a pipeline is found. They never change, since selectors cannot.
pub(super) fn selector_labels(pipeline: &Pipeline, component: Component) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "ragline".to_owned()),
        (INSTANCE_LABEL.to_owned(), pipeline.name.clone()),
        (COMPONENT_LABEL.to_owned(), component.as_str().to_owned()),
    ])
}

/// All labels. The operator's version is not among them: an upgrade of the operator must not touch what runs.
pub(super) fn labels(pipeline: &Pipeline, component: Component) -> BTreeMap<String, String> {
    let mut labels = selector_labels(pipeline, component);
    labels.insert(MANAGED_BY_LABEL.to_owned(), MANAGER.to_owned());
    labels.insert("app.kubernetes.io/part-of".to_owned(), "ragline".to_owned());
    labels
}

/// Selects the pods of one part.
pub(super) fn selector(pipeline: &Pipeline, component: Component) -> LabelSelector {
    LabelSelector { match_labels: Some(selector_labels(pipeline, component)), ..LabelSelector::default() }
}

/// Metadata of an object that goes with the pipeline.
pub(super) fn owned(pipeline: &Pipeline, name: String, component: Component) -> ObjectMeta {
    ObjectMeta { owner_references: Some(vec![owner(pipeline)]), ..orphan(pipeline, name, component) }
}

/// Metadata of an object that outlives the pipeline unless its deletion policy says otherwise.
pub(super) fn kept(pipeline: &Pipeline, name: String, component: Component) -> ObjectMeta {
    match pipeline.deletion_policy {
        DeletionPolicy::Retain => orphan(pipeline, name, component),
        DeletionPolicy::Delete => owned(pipeline, name, component),
    }
}

fn orphan(pipeline: &Pipeline, name: String, component: Component) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(pipeline.namespace.clone()),
        labels: Some(labels(pipeline, component)),
        ..ObjectMeta::default()
    }
}

fn owner(pipeline: &Pipeline) -> OwnerReference {
    OwnerReference {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "RagPipeline".to_owned(),
        name: pipeline.name.clone(),
        uid: pipeline.uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}
