//! Which pipelines are at rest, so that a look at one that nothing has touched asks for its Secrets alone, which no watch tells of.
//! A watch that begins anew may have missed something, and with it all that is known is void.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use kube::{
    ResourceExt,
    api::{DynamicObject, PartialObjectMeta},
    runtime::watcher::{self, Event},
};
use ragline_config::IndexReport;
use ragline_crds::{GROUP, RagPipeline, RagPipelineClass};

use crate::{context::Who, plan::names};

/// Looks in a row that ask for little; the next one asks for everything, whatever is known.
const LOOKS: u8 = 4;

/// Versions of Secrets by name; `None` where there is none.
pub type SecretVersions = BTreeMap<String, Option<String>>;

/// What is known of all pipelines: a few bytes for each that there is.
#[derive(Debug, Default)]
pub struct Rest {
    /// How often a watch began; before the first nothing is known.
    begun: AtomicU64,
    pipelines: Mutex<HashMap<Who, Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// How often a child was touched.
    touched: u64,
    resting: Option<Resting>,
}

#[derive(Debug)]
struct Resting {
    since: Mark,
    sight: String,
    looks: u8,
}

/// A moment in what the watches tell of one pipeline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark {
    begun: u64,
    touched: u64,
}

/// What a trip goes by, beside the children: the pipeline's own version, the classes, the index.
#[derive(Clone, Debug)]
pub struct Sight<'a> {
    pub version: &'a str,
    pub classes: String,
    pub index: String,
}

impl<'a> Sight<'a> {
    /// Of a pipeline, the classes that it may be of, and what is known of its index.
    pub fn of(pipeline: &'a RagPipeline, classes: Option<&[RagPipelineClass]>, index: Option<&IndexReport>) -> Self {
        let meta = classes.into_iter().flatten().map(|class| &class.metadata);
        let versions = meta.flat_map(|meta| [meta.uid.as_deref(), meta.resource_version.as_deref()]).flatten();
        let index = index.and_then(|report| serde_json::to_string(report).ok());
        Self {
            version: pipeline.metadata.resource_version.as_deref().unwrap_or_default(),
            classes: names::hash(versions),
            index: names::hash(index.as_deref()),
        }
    }

    fn with(&self, secrets: &SecretVersions) -> String {
        let secrets = secrets.iter().flat_map(|(name, version)| [name.as_str(), version.as_deref().unwrap_or_default()]);
        names::hash([self.version, self.classes.as_str(), self.index.as_str()].into_iter().chain(secrets))
    }
}

impl Rest {
    /// Takes in what a watch of children tells.
    pub fn note(&self, event: &Result<Event<PartialObjectMeta<DynamicObject>>, watcher::Error>) {
        match event {
            Ok(Event::Init) => self.begin_anew(),
            Ok(Event::Apply(child) | Event::InitApply(child) | Event::Delete(child)) => {
                let namespace = child.namespace().unwrap_or_default();
                for owner in child.owner_references().iter().filter(|owner| owner.api_version.starts_with(GROUP)) {
                    self.touch(Who::new(&owner.name).within(&namespace));
                }
            }
            Ok(Event::InitDone) | Err(_) => {}
        }
    }

    /// A watch begins anew.
    pub fn begin_anew(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// A child of the pipeline has changed.
    pub fn touch(&self, who: Who) {
        self.lock().entry(who).or_default().touched += 1;
    }

    /// The moment, to be taken before anything is read.
    pub fn mark(&self, who: &Who) -> Mark {
        let touched = self.lock().get(who).map_or(0, |known| known.touched);
        Mark { begun: self.begun.load(Ordering::SeqCst), touched }
    }

    /// Whether nothing that a watch tells of has changed since the pipeline came to rest. Counts as a look.
    pub fn is_untouched(&self, who: &Who) -> bool {
        let now = self.mark(who);
        let mut pipelines = self.lock();
        let Some(known) = pipelines.get_mut(who) else { return false };
        match &mut known.resting {
            Some(resting) if resting.since == now && resting.looks > 0 => {
                resting.looks -= 1;
                true
            }
            Some(_) | None => {
                known.resting = None;
                false
            }
        }
    }

    /// Whether the rest is as it was, too.
    pub fn is_same(&self, who: &Who, sight: &Sight<'_>, secrets: &SecretVersions) -> bool {
        let pipelines = self.lock();
        pipelines.get(who).and_then(|known| known.resting.as_ref()).is_some_and(|resting| resting.sight == sight.with(secrets))
    }

    /// Remembers that a trip which began at `since` found nothing to do and nothing on its way.
    pub fn remember(&self, who: &Who, since: Mark, sight: &Sight<'_>, secrets: &SecretVersions) {
        if since.begun > 0 {
            let resting = Resting { since, sight: sight.with(secrets), looks: LOOKS };
            self.lock().entry(who.clone()).or_default().resting = Some(resting);
        }
    }

    /// Forgets a pipeline that is gone.
    pub fn forget(&self, who: &Who) {
        self.lock().remove(who);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Who, Known>> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn child(of: &str) -> PartialObjectMeta<DynamicObject> {
        let owner = json!({"apiVersion": "ragline.dev/v1alpha1", "kind": "RagPipeline", "name": of, "uid": "u"});
        serde_json::from_value(json!({"metadata": {"name": "c", "namespace": "n", "ownerReferences": [owner]}})).unwrap()
    }

    fn who(name: &str) -> Who {
        Who::new(name).within("n")
    }

    fn sight() -> Sight<'static> {
        Sight { version: "1", classes: String::new(), index: String::new() }
    }

    /// Two pipelines at rest under a watch.
    fn resting() -> Rest {
        let rest = Rest::default();
        rest.note(&Ok(Event::Init));
        for name in ["a", "b"] {
            rest.remember(&who(name), rest.mark(&who(name)), &sight(), &SecretVersions::new());
        }
        rest
    }

    #[test]
    fn a_touched_child_ends_the_rest_of_its_pipeline_alone() {
        let rest = resting();
        rest.note(&Ok(Event::Delete(child("a"))));
        assert!(!rest.is_untouched(&who("a")));
        assert!(rest.is_untouched(&who("b")));
    }

    #[test]
    fn what_was_touched_during_the_trip_is_no_rest() {
        let rest = resting();
        let since = rest.mark(&who("a"));
        rest.note(&Ok(Event::Apply(child("a"))));
        rest.remember(&who("a"), since, &sight(), &SecretVersions::new());
        assert!(!rest.is_untouched(&who("a")));
    }

    #[test]
    fn a_watch_that_begins_anew_ends_all_rest_and_without_one_there_is_none() {
        let rest = resting();
        rest.note(&Ok(Event::Init));
        assert!(!rest.is_untouched(&who("a")) && !rest.is_untouched(&who("b")));
        let unwatched = Rest::default();
        unwatched.remember(&who("a"), unwatched.mark(&who("a")), &sight(), &SecretVersions::new());
        assert!(!unwatched.is_untouched(&who("a")));
    }

    #[test]
    fn every_so_often_everything_is_asked_for() {
        let rest = resting();
        let looks: Vec<bool> = (0..=LOOKS).map(|_| rest.is_untouched(&who("a"))).collect();
        assert_eq!(looks, [true, true, true, true, false]);
    }

    #[test]
    fn another_secret_class_index_or_spec_is_another_sight() {
        let rest = resting();
        let none = SecretVersions::new();
        assert!(rest.is_same(&who("a"), &sight(), &none));
        let secrets = SecretVersions::from([("s".to_owned(), Some("1".to_owned()))]);
        assert!(!rest.is_same(&who("a"), &sight(), &secrets));
        let others = [
            Sight { version: "2", ..sight() },
            Sight { classes: "c".to_owned(), ..sight() },
            Sight { index: "i".to_owned(), ..sight() },
        ];
        assert!(others.iter().all(|other| !rest.is_same(&who("a"), other, &none)));
    }
}
