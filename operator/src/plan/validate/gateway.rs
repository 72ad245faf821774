//! The gateways: how many, how large, and how they are reached from outside the cluster.

use ragline_crds::{RagPipelineSpec, spec};

use super::{GATEWAY, Problems, sizing};
use crate::plan::pipeline::{Autoscaling, Defaults, Gateway, Scale};

/// Gateways where the spec names no number.
const REPLICAS: u32 = 2;
/// Most gateways where load decides and the spec names no number.
const MOST_REPLICAS: u32 = 10;
/// Percent of the requested CPU that a gateway shall use where load decides and the spec names no measure.
const CPU_PERCENT: u32 = 80;
/// More gateways than this are refused.
const BOUND: u32 = 50;

pub(super) fn gateway(spec: &RagPipelineSpec, defaults: &Defaults, problems: &mut Problems) -> Gateway {
    let spec::Gateway { image, replicas, autoscaling, resources, ingress, route, tls } = spec.gateway.clone().unwrap_or_default();
    problems.require(
        replicas.is_none() || autoscaling.is_none(),
        "spec.gateway",
        "name only one of replicas and autoscaling; with autoscaling set minReplicas and maxReplicas instead",
    );
    problems.require(replicas.is_none_or(|replicas| replicas <= BOUND), "spec.gateway.replicas", "must be 0 to 50");
    let scale = match autoscaling {
        None => Scale::Fixed(replicas.unwrap_or(REPLICAS)),
        Some(autoscaling) => Scale::Automatic(automatic(&autoscaling, problems)),
    };
    let resources = sizing::sizing("spec.gateway.resources", resources, &GATEWAY, problems);
    let tls = super::tls(tls);
    Gateway { image: image.unwrap_or_else(|| defaults.gateway_image.clone()), scale, resources, ingress, route, tls }
}

fn automatic(autoscaling: &spec::Autoscaling, problems: &mut Problems) -> Autoscaling {
    let spec::Autoscaling { min_replicas, max_replicas, cpu_percent, in_flight_requests } = *autoscaling;
    let least = min_replicas.unwrap_or(REPLICAS);
    let most = max_replicas.unwrap_or(MOST_REPLICAS);
    problems.require((1..=BOUND).contains(&least), "spec.gateway.autoscaling.minReplicas", "must be 1 to 50");
    problems.require((1..=BOUND).contains(&most), "spec.gateway.autoscaling.maxReplicas", "must be 1 to 50");
    problems.require(
        least <= most,
        "spec.gateway.autoscaling.minReplicas",
        "must be at most maxReplicas (left out, they are 2 and 10)",
    );
    let cpu_percent = cpu_percent.or_else(|| in_flight_requests.is_none().then_some(CPU_PERCENT));
    Autoscaling { least, most, cpu_percent, in_flight_requests }
}
