//! What is read for all pipelines together, so that a trip need not ask for it: the classes, which a watch keeps, and which
//! pipelines have children of a kind that a cluster may lack. Decides nothing.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::FutureExt;
use kube::{
    ResourceExt,
    core::DeserializeGuard,
    runtime::reflector::{Store, store::Writer},
};
use ragline_crds::RagPipelineClass;
use tokio::sync::watch;

use super::{Cluster, access::Access, observe::ObserveError};
use crate::plan::names::{CHILDREN_SELECTOR, INSTANCE_LABEL};

/// A class, or what is known of one that does not parse.
pub type GuardedClass = DeserializeGuard<RagPipelineClass>;

/// The classes of the cluster, as a watch keeps them.
pub struct Classes {
    store: Store<GuardedClass>,
    writer: Mutex<Option<Writer<GuardedClass>>>,
}

impl Default for Classes {
    fn default() -> Self {
        let writer = Writer::default();
        Self { store: writer.as_reader(), writer: Mutex::new(Some(writer)) }
    }
}

impl std::fmt::Debug for Classes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Classes").field("known", &self.store.len()).finish_non_exhaustive()
    }
}

impl Classes {
    /// What the watch writes to; there is one.
    pub fn writer(&self) -> Option<Writer<GuardedClass>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// All classes, or `None` while the watch has not brought them yet, as where the cluster does not know the kind.
    ///
    /// # Errors
    /// A class is not understood.
    pub fn known(&self) -> Result<Option<Vec<RagPipelineClass>>, ObserveError> {
        let is_ready = self.store.wait_until_ready().now_or_never().is_some_and(|ready| ready.is_ok());
        if !is_ready {
            return Ok(None);
        }
        let each = self.store.state().into_iter().map(|class| match &class.0 {
            Ok(class) => Ok(class.clone()),
            Err(invalid) => Err(ObserveError::Class {
                name: invalid.metadata.name.clone().unwrap_or_default(),
                reason: invalid.error.clone(),
            }),
        });
        each.collect::<Result<_, _>>().map(Some)
    }
}

/// Which pipelines have children of a kind that a cluster may lack: at most as many as there are. What is not known is asked for
/// once, for all pipelines; afterwards only this process makes such children.
#[derive(Debug, Default)]
pub struct Optional {
    places: Mutex<HashMap<Place, Known>>,
    /// Kinds that a pipeline wants or wanted.
    wanted: watch::Sender<BTreeSet<&'static str>>,
}

/// A kind, and where it was asked for: a namespace, or everywhere.
type Place = (&'static str, Option<String>);

#[derive(Debug, Default)]
struct Known {
    /// Whether the API server was asked. What is noted before counts all the same.
    asked: bool,
    /// Namespace and name.
    owners: BTreeSet<(String, String)>,
}

impl Optional {
    /// Whether the pipeline may have a child of the kind. `everywhere` asks for all namespaces at once.
    ///
    /// # Errors
    /// A request failed.
    pub async fn may_have(
        &self,
        cluster: &Cluster,
        access: &'static Access,
        everywhere: bool,
        pipeline: &str,
    ) -> Result<bool, ObserveError> {
        let place = place(cluster, access, everywhere);
        let owner = (cluster.namespace().to_owned(), pipeline.to_owned());
        if let Some(known) = self.lock().get(&place).filter(|known| known.asked) {
            return Ok(known.owners.contains(&owner));
        }
        let found = match cluster.list_all(access, CHILDREN_SELECTOR, everywhere).await {
            Err(error) if error.is_absence() => Vec::new(),
            found => found?,
        };
        let owners = found.iter().filter_map(|object| Some((object.namespace()?, object.labels().get(INSTANCE_LABEL)?.clone())));
        let mut kinds = self.lock();
        let known = kinds.entry(place).or_default();
        known.asked = true;
        known.owners.extend(owners);
        Ok(known.owners.contains(&owner))
    }

    /// Notes that a child of the kind is about to be made.
    pub fn note(&self, cluster: &Cluster, access: &'static Access, everywhere: bool, pipeline: &str) {
        let owner = (cluster.namespace().to_owned(), pipeline.to_owned());
        self.lock().entry(place(cluster, access, everywhere)).or_default().owners.insert(owner);
        self.wanted.send_if_modified(|kinds| kinds.insert(access.kind));
    }

    /// Resolves once a pipeline has wanted an object of the kind.
    pub async fn is_wanted(&self, access: &'static Access) {
        // The sender lives as long as this.
        self.wanted.subscribe().wait_for(|kinds| kinds.contains(access.kind)).await.ok();
    }

    /// Forgets a pipeline that is gone.
    pub fn forget(&self, namespace: &str, pipeline: &str) {
        let owner = (namespace.to_owned(), pipeline.to_owned());
        for known in self.lock().values_mut() {
            known.owners.remove(&owner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Known>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(cluster: &Cluster, access: &'static Access, everywhere: bool) -> Place {
    (access.kind, (!everywhere).then(|| cluster.namespace().to_owned()))
}
