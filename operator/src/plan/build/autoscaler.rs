//! The HorizontalPodAutoscaler of the gateways.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingRules, HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerSpec, MetricIdentifier, MetricSpec, MetricTarget, PodsMetricSource, ResourceMetricSource,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::meta;
use crate::plan::{
    names::{self, Component},
    pipeline::{Autoscaling, Pipeline, Scale},
};

/// The gateways' metric of requests under way.
const IN_FLIGHT: &str = "ragline_http_requests_in_flight";
/// Seconds of lower load before a gateway is taken away; a new one takes a model's loading time to answer.
const CALM_SECONDS: i32 = 300;

/// The autoscaler, where load decides and the pipeline is not stopped.
pub fn autoscaler(pipeline: &Pipeline) -> Option<HorizontalPodAutoscaler> {
    let Scale::Automatic(autoscaling) = &pipeline.gateway.scale else { return None };
    let Autoscaling { least, most, cpu_percent, in_flight_requests } = *autoscaling;
    let count = |replicas: u32| i32::try_from(replicas).expect("replicas are at most 50");
    let metrics = cpu_percent.map(cpu).into_iter().chain(in_flight_requests.map(in_flight)).collect();
    (!pipeline.stopped).then(|| HorizontalPodAutoscaler {
        metadata: meta::owned(pipeline, names::gateway(&pipeline.name), Component::Gateway),
        spec: HorizontalPodAutoscalerSpec {
            behavior: Some(HorizontalPodAutoscalerBehavior {
                scale_down: Some(HPAScalingRules {
                    stabilization_window_seconds: Some(CALM_SECONDS),
                    ..HPAScalingRules::default()
                }),
                scale_up: None,
            }),
            max_replicas: count(most),
            metrics: Some(metrics),
            min_replicas: Some(count(least)),
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: names::gateway(&pipeline.name),
            },
        },
        status: None,
    })
}

fn cpu(percent: u32) -> MetricSpec {
    let target = MetricTarget {
        average_utilization: Some(i32::try_from(percent).unwrap_or(i32::MAX)),
        type_: "Utilization".to_owned(),
        ..MetricTarget::default()
    };
    let resource = ResourceMetricSource { name: "cpu".to_owned(), target };
    MetricSpec { resource: Some(resource), type_: "Resource".to_owned(), ..MetricSpec::default() }
}

fn in_flight(requests: u32) -> MetricSpec {
    let target = MetricTarget {
        average_value: Some(Quantity(requests.to_string())),
        type_: "AverageValue".to_owned(),
        ..MetricTarget::default()
    };
    let metric = MetricIdentifier { name: IN_FLIGHT.to_owned(), selector: None };
    MetricSpec { pods: Some(PodsMetricSource { metric, target }), type_: "Pods".to_owned(), ..MetricSpec::default() }
}
