//! NetworkPolicies: one for each part, in both directions. What is not written here is not let through, where the cluster's
//! network enforces policies.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::networking::v1::{
        IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
        NetworkPolicySpec,
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, LabelSelectorRequirement},
        util::intstr::IntOrString,
    },
};
use ragline_config::{Config, GenerationProvider, ports};
use ragline_crds::spec::{LabelMatch, Peer};

use super::{cloud_native_pg::CLUSTER_LABEL, meta};
use crate::plan::{
    names::{self, Component},
    pipeline::{Cache, Network, Pipeline, Postgres},
};

/// The port of an address whose scheme does not tell; those of http and https do.
const HTTPS: u16 = 443;
/// The port of name servers.
const DNS: u16 = 53;
/// Where clouds hand out the credentials of their machines; no pipeline has any business there.
const MACHINE_CREDENTIALS: [(&str, &str); 2] = [("0.0.0.0/0", "169.254.169.254/32"), ("::/0", "fd00:ec2::254/128")];
/// Names of the label that every namespace has, and of those that the operator's chart gives its pods.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
const OPERATOR: (&str, &str) = (names::COMPONENT_LABEL, "operator");

/// The policies of a pipeline, none where the spec does without.
pub fn policies(pipeline: &Pipeline) -> Vec<NetworkPolicy> {
    let Some(network) = &pipeline.network else { return Vec::new() };
    let name = &pipeline.name;
    let outward = outward(pipeline);
    let mut of_gateway = outward.clone();
    let replicated = pipeline.replicated_postgres().is_some();
    if replicated {
        of_gateway.push(towards(ports::POSTGRES, vec![part(pipeline, Component::Replica)]));
    }
    let mut policies = vec![policy(pipeline, names::gateway(name), &[Component::Gateway], callers(network), of_gateway)];
    if pipeline.workers.is_some() {
        let read = to(ports::GATEWAY_HTTP, peers(&network.monitoring_from));
        policies.push(policy(pipeline, names::worker(name), &[Component::Worker], read, outward));
    }
    let mut inward = vec![name_service()];
    inward.extend(database(pipeline));
    policies.push(policy(pipeline, names::jobs(name), &[Component::Schema, Component::Index], None, inward));
    let readers = || peers(&network.monitoring_from);
    if pipeline.managed_postgres().is_some() {
        let mut clients = vec![Component::Gateway, Component::Worker, Component::Schema, Component::Index];
        clients.extend(replicated.then_some(Component::Replica));
        let from = clients.into_iter().map(|component| part(pipeline, component)).chain(readers()).collect();
        let rules = to(ports::POSTGRES, from);
        policies.push(policy(pipeline, names::postgres(name), &[Component::Postgres], rules, Vec::new()));
    }
    if replicated {
        let rules = to(ports::POSTGRES, [part(pipeline, Component::Gateway)].into_iter().chain(readers()).collect());
        let primary = vec![name_service(), towards(ports::POSTGRES, vec![part(pipeline, Component::Postgres)])];
        policies.push(policy(pipeline, names::replica(name), &[Component::Replica], rules, primary));
    }
    if pipeline.managed_cache().is_some() {
        let clients = [Component::Gateway, Component::Worker];
        let from = clients.map(|component| part(pipeline, component)).into_iter().chain(readers()).collect();
        policies.push(policy(pipeline, names::valkey(name), &[Component::Cache], to(ports::VALKEY, from), Vec::new()));
    }
    policies
}

fn policy(
    pipeline: &Pipeline,
    name: String,
    parts: &[Component],
    ingress: impl IntoIterator<Item = NetworkPolicyIngressRule>,
    egress: Vec<NetworkPolicyEgressRule>,
) -> NetworkPolicy {
    let first = parts[0];
    NetworkPolicy {
        metadata: meta::owned(pipeline, name, first),
        spec: Some(NetworkPolicySpec {
            egress: Some(egress),
            ingress: Some(ingress.into_iter().collect()),
            pod_selector: Some(selector(pipeline, parts)),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
        }),
    }
}

/// Selects the pods of one part or of several.
fn selector(pipeline: &Pipeline, parts: &[Component]) -> LabelSelector {
    let mut selector = meta::selector(pipeline, parts[0]);
    if parts.len() > 1 {
        if let Some(labels) = &mut selector.match_labels {
            labels.remove(names::COMPONENT_LABEL);
        }
        selector.match_expressions = Some(vec![LabelSelectorRequirement {
            key: names::COMPONENT_LABEL.to_owned(),
            operator: "In".to_owned(),
            values: Some(parts.iter().map(|part| part.as_str().to_owned()).collect()),
        }]);
    }
    selector
}

/// Who may call the gateways: whom the spec names, who reads figures, and the operator, which asks how the index stands.
fn callers(network: &Network) -> Option<NetworkPolicyIngressRule> {
    let own_namespace = NetworkPolicyPeer { pod_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() };
    let mut from = network.allow_from.as_deref().map_or_else(|| vec![own_namespace], peers);
    from.extend(peers(&network.monitoring_from));
    from.push(NetworkPolicyPeer {
        namespace_selector: Some(labelled(NAMESPACE_NAME, &network.operator_namespace)),
        pod_selector: Some(labelled(OPERATOR.0, OPERATOR.1)),
        ip_block: None,
    });
    to(ports::GATEWAY_HTTP, from)
}

/// What gateways and workers call: name servers, database, cache, the servers of models, the identity provider, and the collector of traces.
fn outward(pipeline: &Pipeline) -> Vec<NetworkPolicyEgressRule> {
    let mut rules = vec![name_service()];
    rules.extend(database(pipeline));
    rules.extend(match &pipeline.cache {
        Cache::Managed(_) => Some(towards(ports::VALKEY, vec![part(pipeline, Component::Cache)])),
        Cache::External => Some(anywhere(&cache(&pipeline.config))),
        Cache::Disabled => None,
    });
    let mut servers = models(&pipeline.config);
    servers.extend(identity(&pipeline.config));
    servers.extend(pipeline.config.tracing.endpoint.as_ref().map(|url| url.port_or_known_default().unwrap_or(HTTPS)));
    rules.extend((!servers.is_empty()).then(|| anywhere(&servers)));
    rules
}

fn database(pipeline: &Pipeline) -> Option<NetworkPolicyEgressRule> {
    Some(match &pipeline.postgres {
        Postgres::Managed(_) => towards(ports::POSTGRES, vec![part(pipeline, Component::Postgres)]),
        Postgres::CloudNativePg { .. } => {
            let pods = labelled(CLUSTER_LABEL, &names::postgres(&pipeline.name));
            let cluster = NetworkPolicyPeer { pod_selector: Some(pods), ..NetworkPolicyPeer::default() };
            towards(ports::POSTGRES, vec![cluster])
        }
        Postgres::External { port } => anywhere(&BTreeSet::from([*port])),
    })
}

/// The ports of the servers that embed, write answers and order what was found.
fn models(config: &Config) -> BTreeSet<u16> {
    let embedding = config.embedding.provider.base_url();
    let generation = config.generation.providers().filter_map(GenerationProvider::base_url);
    let servers = embedding.into_iter().chain(generation).chain(config.rerank.base_url.clone());
    servers.map(|url| url.port_or_known_default().unwrap_or(HTTPS)).collect()
}

/// The ports of the cache's servers, those that are learnt among them, and of the Sentinels.
fn cache(config: &Config) -> BTreeSet<u16> {
    let sentinels = config.cache.sentinel.iter().flat_map(|sentinel| &sentinel.addresses);
    let nodes = config.cache.cluster.iter().flat_map(|cluster| &cluster.addresses);
    sentinels.chain(nodes).map(|address| address.port).chain([config.cache.port]).collect()
}

/// The port of the identity provider's keys; where the issuer tells where they are, its own and the usual one.
fn identity(config: &Config) -> BTreeSet<u16> {
    let Some(oidc) = &config.auth.oidc else { return BTreeSet::new() };
    match &oidc.jwks_url {
        Some(keys) => BTreeSet::from([keys.port_or_known_default().unwrap_or(HTTPS)]),
        None => {
            let issuer = oidc.issuer_url().and_then(|issuer| issuer.port_or_known_default());
            BTreeSet::from([issuer.unwrap_or(HTTPS), HTTPS])
        }
    }
}

fn name_service() -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule { ports: Some(vec![port("UDP", DNS), port("TCP", DNS)]), to: None }
}

/// Every host, inside the cluster or outside, on these ports.
fn anywhere(ports: &BTreeSet<u16>) -> NetworkPolicyEgressRule {
    let block = |(all, but): (&str, &str)| NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr: all.to_owned(), except: Some(vec![but.to_owned()]) }),
        ..NetworkPolicyPeer::default()
    };
    // Some networks do not count pods among the addresses of a block.
    let pods = NetworkPolicyPeer { namespace_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() };
    let to = MACHINE_CREDENTIALS.map(block).into_iter().chain([pods]).collect();
    NetworkPolicyEgressRule { ports: Some(ports.iter().map(|&number| port("TCP", number)).collect()), to: Some(to) }
}

/// Lets these in. `None` of nobody: a rule without peers would let everybody in.
fn to(number: u16, from: Vec<NetworkPolicyPeer>) -> Option<NetworkPolicyIngressRule> {
    (!from.is_empty()).then(|| NetworkPolicyIngressRule { from: Some(from), ports: Some(vec![port("TCP", number)]) })
}

fn towards(number: u16, to: Vec<NetworkPolicyPeer>) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule { ports: Some(vec![port("TCP", number)]), to: Some(to) }
}

fn part(pipeline: &Pipeline, component: Component) -> NetworkPolicyPeer {
    NetworkPolicyPeer { pod_selector: Some(meta::selector(pipeline, component)), ..NetworkPolicyPeer::default() }
}

fn peers(peers: &[Peer]) -> Vec<NetworkPolicyPeer> {
    let selector = |matching: &LabelMatch| LabelSelector { match_labels: matching.match_labels.clone(), ..Default::default() };
    let peer = |peer: &Peer| NetworkPolicyPeer {
        namespace_selector: peer.namespace_selector.as_ref().map(selector),
        pod_selector: peer.pod_selector.as_ref().map(selector),
        ip_block: None,
    };
    peers.iter().map(peer).collect()
}

fn labelled(name: &str, value: &str) -> LabelSelector {
    LabelSelector { match_labels: Some([(name.to_owned(), value.to_owned())].into()), ..LabelSelector::default() }
}

fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort { port: Some(IntOrString::Int(i32::from(number))), protocol: Some(protocol.to_owned()), end_port: None }
}
