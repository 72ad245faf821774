//! Decides whether a pipeline has come to rest, and whether anything could end that rest without being told of.

use k8s_openapi::api::apps::v1::Deployment;

use super::{
    certificates,
    observed::Observed,
    pipeline::{Pipeline, Postgres},
};

/// Whether nothing is on its way that no watch would tell of.
pub fn at_rest(checked: &Pipeline, seen: &Observed) -> bool {
    let available =
        |deployment: &Deployment| deployment.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0);
    let gateways = seen.gateway.as_ref().map_or(0, available);
    let cache = checked.managed_cache().is_none() || seen.cache.as_ref().is_some_and(|cache| available(cache) > 0);
    let wanted = if checked.stopped { 0 } else { checked.gateway.scale.least() };
    let standbys = match checked.postgres {
        Postgres::CloudNativePg { instances, .. } => {
            seen.postgres_cluster.as_ref().is_some_and(|cluster| cluster.ready_instances >= instances)
        }
        Postgres::Managed(ref postgres) => seen.replicas_ready() >= postgres.replicas,
        Postgres::External { .. } => true,
    };
    let roles = !seen.rotation.is_under_way();
    roles
        && seen.unissued.is_empty()
        && seen.database_ready(checked)
        && standbys
        && seen.schema_applied()
        && cache
        && i64::from(gateways) >= i64::from(wanted)
}

/// Whether the watches, the Secrets and the index's news tell of all that could change, so that there is nothing else to look for.
/// CloudNativePG's Clusters are watched, and what becomes of an ImageCatalog shows in the Cluster that takes its image from there.
pub fn is_watched(checked: &Pipeline, seen: &Observed) -> bool {
    let encryption = checked.own_postgres().is_some_and(|postgres| postgres.encryption_required);
    let issuer = !certificates::issued(checked).is_empty();
    let route = checked.gateway.route.is_some();
    let due = seen.index.as_ref().is_some_and(|report| report.due);
    !encryption && !issuer && !route && !due
}

#[cfg(test)]
mod tests {
    use ragline_config::{IndexReport, index::IndexKind};
    use ragline_crds::RagPipeline;
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::{observed::index_report, pipeline::Defaults, validate::validate};

    fn pipeline(spec: Value) -> Pipeline {
        validate(&RagPipeline::new("a", serde_json::from_value(spec).unwrap()), &Defaults::of_tests()).unwrap()
    }

    #[test]
    fn what_no_watch_tells_of_is_looked_for() {
        let issued = json!({"enabled": true, "issuerRef": {"name": "company"}});
        let cases = [
            (json!({}), true),
            (json!({"gateway": {"tls": {"enabled": true}}}), true),
            (json!({"postgres": {"cloudNativePg": {}}}), true),
            (json!({"postgres": {"managed": {"storage": {"encryption": "Required"}}}}), false),
            (json!({"gateway": {"tls": issued}}), false),
            (json!({"gateway": {"route": {"parentRef": {"name": "public"}, "hostnames": ["a.example.com"]}}}), false),
        ];
        for (spec, wanted) in cases {
            assert_eq!(is_watched(&pipeline(spec.clone()), &Observed::default()), wanted, "{spec}");
        }
    }

    #[test]
    fn an_index_that_is_due_is_looked_for() {
        let report = IndexReport { due: true, desired: IndexKind::IvfFlat { lists: 100 }, ..index_report(1, IndexKind::Exact) };
        let due = Observed { index: Some(report), ..Observed::default() };
        assert!(!is_watched(&pipeline(json!({})), &due));
    }
}
