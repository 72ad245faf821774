//! What keeps a part's pods from working, in the words of a person who has to mend it.

use k8s_openapi::{
    api::core::v1::{ContainerStatus, Event, Pod},
    jiff::{SignedDuration, Timestamp},
};
use ragline_crds::Reason;

use super::judgement::{WORDS_BYTES, quoted};

/// A new pod is often without a node for a moment, while its volume is made.
const SCHEDULING_GRACE: SignedDuration = SignedDuration::from_secs(20);
/// So many ends in a row are more than a part waiting for another.
const CRASHES: i32 = 3;

/// What is wrong with a pod.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Trouble {
    pub(super) reason: Reason,
    pub(super) message: String,
    /// Whether a person must do something.
    pub(super) stalled: bool,
}

/// The first trouble among the pods; `resources` is the field that sizes them.
pub(super) fn trouble<'a>(pods: impl Iterator<Item = &'a Pod>, resources: &str, now: Timestamp) -> Option<Trouble> {
    let mut found: Vec<Trouble> = pods.filter_map(|pod| of_pod(pod, resources, now)).collect();
    found.sort_by_key(|trouble| !trouble.stalled);
    found.into_iter().next()
}

fn of_pod(pod: &Pod, resources: &str, now: Timestamp) -> Option<Trouble> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref()?;
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    if let Some(trouble) = unscheduled(name, pod, resources, now) {
        return Some(trouble);
    }
    let containers = status.container_statuses.iter().flatten();
    containers.filter(|container| !container.ready).find_map(|container| of_container(name, container))
}

fn unscheduled(name: &str, pod: &Pod, resources: &str, now: Timestamp) -> Option<Trouble> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let unscheduled = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
    let since = unscheduled.last_transition_time.as_ref().map_or(now, |time| time.0);
    if now.duration_since(since) < SCHEDULING_GRACE {
        return None;
    }
    let why = quoted(unscheduled.message.as_deref().unwrap_or_default());
    let lower = why.to_lowercase();
    let volume = ["persistentvolumeclaim", "storageclass", "volume node affinity"].iter().any(|word| lower.contains(word));
    Some(if volume {
        Trouble {
            reason: Reason::VolumePending,
            message: format!(
                "Pod {name} waits for its volume: {why}. Check that the storage class exists and can provide volumes (kubectl get storageclass)."
            ),
            stalled: true,
        }
    } else {
        Trouble {
            reason: Reason::Unschedulable,
            message: format!("No node takes pod {name}: {why}. Add a node, or ask for less in {resources}."),
            stalled: true,
        }
    })
}

fn of_container(pod: &str, container: &ContainerStatus) -> Option<Trouble> {
    let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
    let why = waiting.and_then(|waiting| waiting.message.as_deref()).unwrap_or_default();
    let words = last_words(container);
    match waiting.and_then(|waiting| waiting.reason.as_deref()) {
        Some("ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "RegistryUnavailable") => {
            let why = quoted(why);
            let image = &container.image;
            let message =
                format!("Pod {pod} cannot fetch its image {image}: {why}. Correct the image, or the way to its registry.");
            Some(Trouble { reason: Reason::ImagePull, message, stalled: true })
        }
        Some("CreateContainerConfigError" | "CreateContainerError" | "RunContainerError") => {
            let message = format!("Pod {pod} cannot be started: {}.", quoted(why));
            Some(Trouble { reason: Reason::Crashing, message, stalled: true })
        }
        _ if container.restart_count > 0 && words.is_some() => {
            let (code, words) = words?;
            let times = container.restart_count;
            let message =
                format!("Pod {pod} ended with code {code} and was started again {times} times. Its last words: {words}");
            Some(Trouble { reason: Reason::Crashing, message, stalled: times >= CRASHES })
        }
        _ => container.state.as_ref().and_then(|state| state.running.as_ref()).map(|_| Trouble {
            reason: Reason::Unready,
            message: format!("Pod {pod} runs and does not answer its readiness probe yet; see kubectl logs {pod}."),
            stalled: false,
        }),
    }
}

/// How a container last ended, and what it said.
pub(super) fn last_words(container: &ContainerStatus) -> Option<(i32, String)> {
    let states = [container.state.as_ref(), container.last_state.as_ref()];
    let ended = states.into_iter().flatten().find_map(|state| state.terminated.as_ref())?;
    let words = ended.message.as_deref().unwrap_or_default().trim();
    let words = if words.is_empty() { ended.reason.as_deref().unwrap_or("none") } else { words };
    Some((ended.exit_code, tail(words)))
}

/// The end of a text: the cause of an end stands last.
fn tail(text: &str) -> String {
    if text.len() <= WORDS_BYTES {
        return text.to_owned();
    }
    format!("…{}", &text[text.ceil_char_boundary(text.len() - WORDS_BYTES)..])
}

/// Why no pod is made for a workload, such as an exhausted quota. The newest such Event counts.
pub(super) fn refused(events: &[Event], who: &str, workload: &str) -> Option<Trouble> {
    let about = |event: &&Event| {
        let name = event.involved_object.name.as_deref().unwrap_or_default();
        // A Deployment's pods are made by a ReplicaSet, which is named after it.
        event.reason.as_deref() == Some("FailedCreate") && (name == workload || name.starts_with(&format!("{workload}-")))
    };
    let newest = events.iter().filter(about).max_by_key(|event| event.last_timestamp.as_ref().map(|time| time.0))?;
    let why = quoted(newest.message.as_deref().unwrap_or_default());
    let (reason, mend) = if why.contains("exceeded quota") {
        (Reason::QuotaExceeded, "Ask for less in the spec, or have the namespace's ResourceQuota raised.")
    } else if why.contains("forbidden") {
        (Reason::PodRefused, "Correct what is named, in the spec or in the namespace's LimitRange or policies.")
    } else {
        let message = format!("{who} cannot make its pods: {why}");
        return Some(Trouble { reason: Reason::Provisioning, message, stalled: false });
    };
    Some(Trouble { reason, message: format!("{who} cannot make its pods: {why}. {mend}"), stalled: true })
}
