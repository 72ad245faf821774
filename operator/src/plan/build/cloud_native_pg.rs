//! The Cluster of CloudNativePG and the catalog of its image, typed as far as they are used here, and what the status tells.

use std::ops::RangeInclusive;

use k8s_openapi::Resource;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{foreign::foreign_kind, meta, pod, postgres_settings as settings, secrets};
use crate::plan::{
    credentials::Login,
    names::{self, Component},
    pipeline::{ManagedPostgres, Pipeline},
};

/// PostgreSQL's major version where an image does not tell.
const MAJOR: u32 = 17;
/// What can be a major version that this works with.
const MAJORS: RangeInclusive<u32> = 15..=99;

/// The label of a Cluster's pods.
pub const CLUSTER_LABEL: &str = "cnpg.io/cluster";

foreign_kind! {
    /// A PostgreSQL with standbys.
    PostgresCluster: "postgresql.cnpg.io" / "v1", "Cluster", "clusters"
}

foreign_kind! {
    /// Says which image is of which major version of PostgreSQL.
    ImageCatalog: "postgresql.cnpg.io" / "v1", "ImageCatalog", "imagecatalogs"
}

/// A Cluster as it is read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct PostgresClusterSeen {
    pub status: PostgresClusterStatus,
}

/// What CloudNativePG tells of a Cluster.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct PostgresClusterStatus {
    /// The primary among them.
    pub ready_instances: u32,
    /// Text for people.
    pub phase: Option<String>,
    pub phase_reason: Option<String>,
    /// Name of its pod.
    pub current_primary: Option<String>,
    /// Name of the pod that shall be it; [`NOBODY_YET`] while the one to follow a lost primary is not chosen.
    pub target_primary: Option<String>,
    pub conditions: Vec<PostgresClusterCondition>,
}

/// One of its conditions.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct PostgresClusterCondition {
    pub r#type: String,
    pub status: String,
    pub message: String,
}

/// The target while a primary is lost and the next one is not chosen.
const NOBODY_YET: &str = "pending";
/// The condition that all is as the Cluster's spec says.
const READY: &str = "Ready";
/// The condition that all instances are of one database.
const ONE_DATABASE: &str = "ConsistentSystemID";

impl PostgresClusterStatus {
    /// Whether a primary takes connections. It does also while a standby is missing, when the condition `Ready` is False.
    pub fn serves(&self) -> bool {
        self.primary().is_some() && self.failing_over().is_none() && self.ready_instances > 0
    }

    /// The primary that nobody may write to any more, and the one that takes its place, as soon as it is chosen.
    pub fn failing_over(&self) -> Option<(&str, Option<&str>)> {
        let (primary, target) = (self.primary()?, named(&self.target_primary)?);
        (target != primary).then(|| (primary, (target != NOBODY_YET).then_some(target)))
    }

    /// What it says of instances that are not of the same database.
    pub fn torn(&self) -> Option<&str> {
        self.is_not(ONE_DATABASE).map(|condition| condition.message.as_str())
    }

    /// The phase, while all is not as the spec says.
    pub fn busy(&self) -> Option<&str> {
        self.is_not(READY).and(self.phase.as_deref())
    }

    fn primary(&self) -> Option<&str> {
        named(&self.current_primary)
    }

    fn is_not(&self, condition: &str) -> Option<&PostgresClusterCondition> {
        self.conditions.iter().find(|one| one.r#type == condition && one.status == "False")
    }
}

fn named(pod: &Option<String>) -> Option<&str> {
    pod.as_deref().filter(|name| !name.is_empty())
}

/// What only a superuser may do, once, in the new database.
const AS_SUPERUSER: [&str; 3] = [
    "CREATE EXTENSION IF NOT EXISTS vector",
    "GRANT pg_monitor TO ragline_owner",
    "GRANT USAGE, CREATE ON SCHEMA public TO ragline_owner WITH GRANT OPTION",
];

/// Without it CloudNativePG takes no image whose tag does not begin with PostgreSQL's version.
pub fn image_catalog(pipeline: &Pipeline, each: &ManagedPostgres) -> ImageCatalog {
    let spec = json!({"images": [{"major": major(&each.image), "image": each.image}]});
    ImageCatalog::new(meta::kept(pipeline, names::postgres(&pipeline.name), Component::Postgres), spec)
}

/// PostgreSQL's major version by the tag of its image, as in `17.6-standard`, `pg17` or `0.8.1-pg17`; [`MAJOR`] where it does not tell.
fn major(image: &str) -> u32 {
    let name = image.split('@').next().unwrap_or_default();
    let tag = name.rsplit('/').next().and_then(|last| last.split_once(':')).map_or("", |(_, tag)| tag);
    let number =
        |text: &str| text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok().filter(|major| MAJORS.contains(major));
    tag.rsplit_once("pg").and_then(|(_, version)| number(version)).or_else(|| number(tag)).unwrap_or(MAJOR)
}

/// The Cluster that the spec asks for. Its passwords are those that the operator drew.
pub fn cluster(pipeline: &Pipeline, instances: u32, user: u32, each: &ManagedPostgres) -> PostgresCluster {
    let name = &pipeline.name;
    let mut storage = json!({"size": each.storage_size, "resizeInUseVolumes": true});
    if let Some(class) = &each.storage_class {
        storage["storageClass"] = json!(class);
    }
    let spec = json!({
        "instances": instances,
        "imageCatalogRef": {
            "apiGroup": <ImageCatalog as Resource>::GROUP,
            "kind": <ImageCatalog as Resource>::KIND,
            "name": names::postgres(name),
            "major": major(&each.image),
        },
        "postgresUID": user,
        "postgresGID": user,
        "storage": storage,
        "resources": pod::requirements(&each.resources),
        "bootstrap": {"initdb": {
            "database": secrets::DATABASE,
            "owner": secrets::OWNER,
            "secret": {"name": names::owner_secret(name)},
            "postInitApplicationSQL": AS_SUPERUSER,
        }},
        "managed": {"roles": [{
            "name": Login::First.name(),
            "ensure": "present",
            "login": true,
            "passwordSecret": {"name": names::application_secret(name)},
        }]},
        "postgresql": postgresql(pipeline, instances, each),
    });
    PostgresCluster::new(meta::kept(pipeline, names::postgres(name), Component::Postgres), spec)
}

/// A commit waits until a standby has it, so that nothing that was stored is lost with the primary; without a healthy standby it does not
/// wait.
fn postgresql(pipeline: &Pipeline, instances: u32, each: &ManagedPostgres) -> Value {
    let mut postgresql = json!({"parameters": settings::of_cloud_native_pg(pipeline, each)});
    if instances > 1 {
        postgresql["synchronous"] = json!({"method": "any", "number": 1, "dataDurability": "preferred"});
    }
    postgresql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_off_the_tag() {
        let cases = [
            ("pgvector/pgvector:pg17", 17),
            ("pgvector/pgvector:0.8.1-pg16-trixie", 16),
            ("ghcr.io/cloudnative-pg/postgresql:18.1-standard-trixie", 18),
            ("registry:5000/postgres:15", 15),
            ("postgres:16@sha256:0123", 16),
            ("registry:5000/postgres", MAJOR),
            ("localhost/ragline-postgres:dev", MAJOR),
            ("postgres:1.2", MAJOR),
            ("postgres:16-pgvector", 16),
        ];
        for (image, wanted) in cases {
            assert_eq!(major(image), wanted, "{image}");
        }
    }
}
