//! What all trips share.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use kube::{Client, ResourceExt, core::DeserializeGuard, runtime::reflector::ObjectRef};
use ragline_crds::RagPipeline;

use crate::{
    backoff::Backoff,
    cluster::{
        Cluster, REQUEST_TIMEOUT,
        index::Readings,
        shared::{Classes, Optional},
    },
    metrics::Metrics,
    plan::pipeline::Defaults,
    rest::Rest,
};

/// A pipeline by namespace and name.
pub type Who = ObjectRef<DeserializeGuard<RagPipeline>>;

/// Pipelines that do not parse and are remembered; one more forgets them all, and they are told once more.
const UNREADABLE: usize = 1_000;

/// What all trips share.
pub struct Context {
    pub metrics: Metrics,
    /// Errors in a row.
    pub backoff: Backoff<Who>,
    /// Looks in vain for a Secret of the user's.
    pub waits: Backoff<Who>,
    pub readings: Readings,
    pub defaults: Defaults,
    /// The classes; `None` where the operator watches single namespaces and may not read what belongs to the whole cluster.
    pub classes: Option<Classes>,
    pub optional: Optional,
    pub rest: Rest,
    client: Client,
    deadline: Duration,
    unreadable: Mutex<HashMap<Who, i64>>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("defaults", &self.defaults).finish_non_exhaustive()
    }
}

impl Context {
    pub fn new(client: Client, metrics: Metrics, readings: Readings, defaults: Defaults, classes: Option<Classes>) -> Self {
        let (backoff, waits, unreadable) = (Backoff::default(), Backoff::default(), Mutex::new(HashMap::new()));
        Self {
            metrics,
            backoff,
            waits,
            readings,
            defaults,
            classes,
            optional: Optional::default(),
            rest: Rest::default(),
            client,
            deadline: REQUEST_TIMEOUT,
            unreadable,
        }
    }

    /// The same, with another bound on how long one request to the API server may take.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// The API of the pipeline's namespace.
    pub fn cluster(&self, pipeline: &RagPipeline) -> Cluster {
        let namespace = pipeline.namespace().unwrap_or_default();
        Cluster::new(self.client.clone(), self.metrics.clone(), &namespace, self.deadline)
    }

    /// Whether this generation of a pipeline that does not parse is seen for the first time.
    pub fn first_sight(&self, who: &Who, generation: i64) -> bool {
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if unreadable.len() >= UNREADABLE {
            unreadable.clear();
        }
        unreadable.insert(who.clone(), generation) != Some(generation)
    }

    /// Ends the growing pauses of a pipeline.
    pub fn succeeded(&self, who: &Who) {
        self.backoff.succeeded(who);
        self.metrics.pipelines_in_backoff.set(i64::try_from(self.backoff.len()).unwrap_or(i64::MAX));
    }

    /// Forgets a pipeline that is gone.
    pub fn forget(&self, who: &Who) {
        self.succeeded(who);
        self.metrics.pipeline_conditions.tell(who.namespace.as_deref().unwrap_or_default(), &who.name, &[]);
        self.waits.succeeded(who);
        self.readings.forget(who);
        self.rest.forget(who);
        self.optional.forget(who.namespace.as_deref().unwrap_or_default(), &who.name);
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).remove(who);
    }
}
