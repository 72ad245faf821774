//! Leader election by a Lease: many may wait, one works. A leader that cannot renew in time must stop at once, for another may
//! already be at work. Ages are measured by this process's own clock, so clocks of nodes need not agree.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

/// A Lease not renewed for this long is free.
pub const LEASE_DURATION: Duration = Duration::from_secs(15);
/// A leader that has not renewed for this long gives up; shorter than the Lease, so that two never lead at once.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Time between two tries.
pub const RETRY_PERIOD: Duration = Duration::from_secs(2);
/// One request may take this long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the Lease is not held, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    #[error("leadership was lost: the Lease {name} could not be renewed for {} s", RENEW_DEADLINE.as_secs())]
    Late { name: String },
    #[error("leadership was lost: the Lease {name} is held by {holder:?}")]
    Taken { name: String, holder: String },
    #[error("the Lease {name} could not be read or written")]
    Request { name: String, source: Box<kube::Error> },
    #[error("the API server did not answer about the Lease {name} in {} s", REQUEST_TIMEOUT.as_secs())]
    Silent { name: String },
}

/// One candidate.
#[derive(Clone, Debug)]
pub struct Candidate {
    leases: Api<Lease>,
    name: String,
    identity: String,
}

/// What was last seen of the Lease, and when this process first saw it so.
#[derive(Debug)]
struct Sighting {
    version: Option<String>,
    at: Instant,
}

/// What a look at the Lease calls for.
#[derive(Debug, PartialEq)]
enum Step {
    /// There is none.
    Create,
    /// It is ours, free or expired.
    Take,
    /// Somebody else holds it.
    Wait { holder: String },
}

impl Candidate {
    /// A candidate for the Lease `name` in `namespace`. `identity` must differ between processes.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self { leases: Api::namespaced(client, namespace), name: name.to_owned(), identity: identity.to_owned() }
    }

    /// Waits until the Lease is ours.
    ///
    /// # Errors
    /// None while waiting: errors are logged and tried again. The result is for symmetry with [`Self::hold`].
    pub async fn acquire(&self) {
        let mut sighting = Sighting { version: None, at: Instant::now() };
        let mut told = String::new();
        loop {
            match self.round(&mut sighting).await {
                Ok(Step::Create | Step::Take) => return info!("{} leads", self.identity),
                Ok(Step::Wait { holder }) if holder == told => {}
                Ok(Step::Wait { holder }) => {
                    info!("{} waits: {holder} leads", self.identity);
                    told = holder;
                }
                Err(error) => warn!("leader election: {}", crate::telemetry::chain(&error)),
            }
            sleep(RETRY_PERIOD).await;
        }
    }

    /// Keeps the Lease. Returns only when it is lost.
    pub async fn hold(&self) -> LeaderError {
        let mut renewed = Instant::now();
        let mut sighting = Sighting { version: None, at: renewed };
        loop {
            sleep(RETRY_PERIOD).await;
            let left = RENEW_DEADLINE.saturating_sub(renewed.elapsed());
            match timeout(left, self.round(&mut sighting)).await {
                Ok(Ok(Step::Create | Step::Take)) => renewed = Instant::now(),
                Ok(Ok(Step::Wait { holder })) => return LeaderError::Taken { name: self.name.clone(), holder },
                Ok(Err(error)) => warn!("renewing the Lease: {}", crate::telemetry::chain(&error)),
                Err(_) => {}
            }
            if renewed.elapsed() >= RENEW_DEADLINE {
                return LeaderError::Late { name: self.name.clone() };
            }
        }
    }

    /// Gives the Lease away, so that the next one need not wait for it to expire.
    ///
    /// # Errors
    /// The API server refused or did not answer; the Lease then expires by itself.
    pub async fn release(&self) -> Result<(), LeaderError> {
        let Some(mut lease) = self.ask(self.leases.get_opt(&self.name)).await? else { return Ok(()) };
        let Some(spec) = lease.spec.as_mut().filter(|spec| spec.holder_identity.as_ref() == Some(&self.identity)) else {
            return Ok(());
        };
        spec.holder_identity = Some(String::new());
        self.ask(self.leases.replace(&self.name, &PostParams::default(), &lease)).await.map(drop)
    }

    /// One look and, where it may, one write. The write carries the version that was seen, so of two that try, one is refused.
    async fn round(&self, sighting: &mut Sighting) -> Result<Step, LeaderError> {
        let lease = self.ask(self.leases.get_opt(&self.name)).await?;
        let version = lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
        if version != sighting.version {
            *sighting = Sighting { version, at: Instant::now() };
        }
        let step = judge(lease.as_ref(), &self.identity, sighting.at.elapsed());
        match (&step, lease) {
            (Step::Create, _) | (Step::Take, None) => {
                let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
                let lease = self.taken(Lease { metadata, spec: None });
                self.ask(self.leases.create(&PostParams::default(), &lease)).await?;
            }
            (Step::Take, Some(lease)) => {
                let lease = self.taken(lease);
                self.ask(self.leases.replace(&self.name, &PostParams::default(), &lease)).await?;
            }
            (Step::Wait { .. }, _) => {}
        }
        Ok(step)
    }

    fn taken(&self, mut lease: Lease) -> Lease {
        let now = MicroTime(Timestamp::now());
        let before = lease.spec.take().unwrap_or_default();
        let ours = before.holder_identity.as_ref() == Some(&self.identity);
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(15),
            acquire_time: if ours { before.acquire_time } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(before.lease_transitions.unwrap_or(0) + i32::from(!ours)),
            ..LeaseSpec::default()
        });
        lease
    }

    async fn ask<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, LeaderError> {
        let name = || self.name.clone();
        match timeout(REQUEST_TIMEOUT, request).await {
            Ok(answer) => answer.map_err(|source| LeaderError::Request { name: name(), source: Box::new(source) }),
            Err(_) => Err(LeaderError::Silent { name: name() }),
        }
    }
}

fn judge(lease: Option<&Lease>, identity: &str, unchanged_for: Duration) -> Step {
    let Some(lease) = lease else { return Step::Create };
    let spec = lease.spec.as_ref();
    let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or("");
    let duration = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
    let expired = unchanged_for >= duration.map_or(LEASE_DURATION, Duration::from_secs);
    if holder.is_empty() || holder == identity || expired { Step::Take } else { Step::Wait { holder: holder.to_owned() } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(holder: &str) -> Lease {
        let spec = LeaseSpec { holder_identity: Some(holder.into()), lease_duration_seconds: Some(15), ..LeaseSpec::default() };
        Lease { metadata: ObjectMeta::default(), spec: Some(spec) }
    }

    #[test]
    fn a_lease_is_taken_when_it_is_free_ours_or_expired() {
        let secs = Duration::from_secs;
        let wait = || Step::Wait { holder: "b".into() };
        assert_eq!(judge(None, "a", secs(0)), Step::Create);
        assert_eq!(judge(Some(&held_by("")), "a", secs(0)), Step::Take);
        assert_eq!(judge(Some(&held_by("a")), "a", secs(0)), Step::Take);
        assert_eq!(judge(Some(&held_by("b")), "a", secs(14)), wait());
        assert_eq!(judge(Some(&held_by("b")), "a", secs(15)), Step::Take);
    }

    #[test]
    fn a_leader_gives_up_before_its_lease_is_free() {
        assert!(RENEW_DEADLINE + RETRY_PERIOD < LEASE_DURATION);
    }
}
