//! Tells which pipelines' Cluster of CloudNativePG has changed, and ends their rest. A cluster may lack the kind, and a watch of what is not
//! there never comes to rest: nothing is watched before a pipeline wants such a Cluster.

use std::sync::Arc;

use futures::{FutureExt, Stream, StreamExt, future::ready};
use kube::{
    Api, Client, Error, ResourceExt,
    api::{DynamicObject, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use prometheus::IntCounter;
use tracing::{debug, warn};

use super::count_watch;
use crate::{
    cluster::access,
    context::{Context, Who},
    plan::names::INSTANCE_LABEL,
    rest::Rest,
    telemetry::chain,
};

type Cluster = PartialObjectMeta<DynamicObject>;

/// Each pipeline as often as its Cluster changes. A kind that is not there is looked for every half a minute.
pub(super) fn changed(
    client: Client,
    context: Arc<Context>,
    namespace: Option<&str>,
    labels: &str,
) -> impl Stream<Item = Who> + Send + use<> {
    let resource = access::POSTGRES_CLUSTERS.resource();
    let clusters: Api<Cluster> = match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let config = super::watching().labels(labels);
    let watched = context.clone();
    let wanted = async move {
        watched.optional.is_wanted(&access::POSTGRES_CLUSTERS).await;
        count_watch(&watched, &access::POSTGRES_CLUSTERS);
        watcher::watcher(clusters, config).default_backoff()
    };
    wanted.flatten_stream().filter_map(move |event| ready(pipeline(event, &context.rest, &context.metrics.watch_errors)))
}

fn pipeline(event: watcher::Result<Event<Cluster>>, rest: &Rest, errors: &IntCounter) -> Option<Who> {
    match event {
        Ok(Event::Apply(cluster) | Event::InitApply(cluster) | Event::Delete(cluster)) => {
            let owner = owner(&cluster)?;
            rest.touch(owner.clone());
            Some(owner)
        }
        // Every try begins with an `Init`, also where there is no such kind, which must not keep all pipelines from their rest.
        Ok(Event::Init) => None,
        Ok(Event::InitDone) => {
            rest.begin_anew();
            None
        }
        Err(error) if is_absence(&error) => {
            debug!("there is no CloudNativePG to watch");
            None
        }
        Err(error) => {
            errors.inc();
            // Until it stands again nothing is heard of any Cluster.
            rest.begin_anew();
            warn!("the watch of CloudNativePG's Clusters broke and is started again: {}", chain(&error));
            None
        }
    }
}

/// By its label: a Cluster that outlives its pipeline has no owner.
fn owner(cluster: &Cluster) -> Option<Who> {
    let name = cluster.labels().get(INSTANCE_LABEL)?;
    Some(Who::new(name).within(&cluster.namespace()?))
}

fn is_absence(error: &watcher::Error) -> bool {
    let answer = match error {
        watcher::Error::InitialListFailed(Error::Api(status)) | watcher::Error::WatchStartFailed(Error::Api(status)) => status,
        watcher::Error::WatchError(status) => status,
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => return false,
    };
    answer.code == 404
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use serde_json::json;

    use super::*;
    use crate::rest::{SecretVersions, Sight};

    fn cluster(of: &str) -> Cluster {
        let meta = json!({"name": format!("{of}-postgres"), "namespace": "n", "labels": {(INSTANCE_LABEL): of}});
        serde_json::from_value(json!({"metadata": meta})).unwrap()
    }

    /// Two pipelines at rest.
    fn resting() -> Rest {
        let rest = Rest::default();
        rest.begin_anew();
        for name in ["a", "b"] {
            let (who, sight) = (Who::new(name).within("n"), Sight { version: "1", classes: String::new(), index: String::new() });
            rest.remember(&who, rest.mark(&who), &sight, &SecretVersions::new());
        }
        rest
    }

    /// Which pipeline is told of, and which of the two rest on.
    fn after(event: Event<Cluster>) -> (Option<Who>, [bool; 2]) {
        let (rest, errors) = (resting(), IntCounter::new("errors", "Errors.").unwrap());
        let told = pipeline(Ok(event), &rest, &errors);
        (told, ["a", "b"].map(|name| rest.is_untouched(&Who::new(name).within("n"))))
    }

    #[test]
    fn a_cluster_that_changes_ends_the_rest_of_its_pipeline_alone() {
        for event in [Event::Apply(cluster("a")), Event::InitApply(cluster("a")), Event::Delete(cluster("a"))] {
            assert_eq!(after(event), (Some(Who::new("a").within("n")), [false, true]));
        }
    }

    #[test]
    fn a_watch_that_has_listed_all_anew_or_broke_ends_all_rest() {
        assert_eq!(after(Event::Init), (None, [true, true]));
        assert_eq!(after(Event::InitDone), (None, [false, false]));
        let (rest, errors) = (resting(), IntCounter::new("errors", "Errors.").unwrap());
        assert_eq!(pipeline(Err(watcher::Error::NoResourceVersion), &rest, &errors), None);
        assert!(!rest.is_untouched(&Who::new("a").within("n")));
    }

    #[test]
    fn a_cluster_is_its_pipelines_by_label_and_namespace() {
        let cluster = |labels| {
            let meta = json!({"metadata": {"name": "a-postgres", "namespace": "n", "labels": labels}});
            owner(&serde_json::from_value(meta).unwrap())
        };
        assert_eq!(cluster(json!({(INSTANCE_LABEL): "a"})), Some(Who::new("a").within("n")));
        assert_eq!(cluster(json!({})), None);
    }

    #[test]
    fn only_an_unknown_kind_is_an_absence() {
        let answered = |code| {
            let status = Status { code, ..Status::default() };
            is_absence(&watcher::Error::InitialListFailed(Error::Api(Box::new(status))))
        };
        assert!(answered(404));
        assert!(!answered(403) && !is_absence(&watcher::Error::NoResourceVersion));
    }
}
