//! A cache of each kind there is, on real servers: one server, a master with a replica and three Sentinels, a cluster of three.

use std::collections::HashMap;

use ragline_config::{Cache as CacheConfig, CacheCluster, CacheSentinel, ServerAddress};
use ragline_gateway::backends::cache::Passwords;
use secrecy::SecretString;

use crate::cache_servers::{Certificates, PASSWORD, Program, SENTINEL_PASSWORD, Server, eventually, free_port};

/// Slots of a cluster.
const SLOTS: usize = 16_384;
const NODES: usize = 3;

/// How servers work together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Topology {
    Single,
    Sentinel,
    Cluster,
}

/// Servers that work together.
pub(crate) struct Servers {
    topology: Topology,
    /// With Sentinels, the master first.
    pub(crate) data: Vec<Server>,
    pub(crate) sentinels: Vec<Server>,
    pub(crate) certificates: Option<Certificates>,
}

impl Servers {
    /// Starts them and waits until they know each other.
    pub(crate) async fn start(topology: Topology, program: Program, tls: bool) -> Self {
        let certificates = tls.then(Certificates::new);
        let with = certificates.as_ref();
        let mut data = Vec::new();
        let mut sentinels = Vec::new();
        match topology {
            Topology::Single => data.push(Server::start(program, with, "").await),
            Topology::Sentinel => {
                data.push(Server::start(program, with, "").await);
                let master = data[0].port;
                data.push(Server::start(program, with, &format!("replicaof 127.0.0.1 {master}\n")).await);
                for _ in 0..3 {
                    sentinels.push(Server::start_sentinel(program, with, master).await);
                }
                eventually("every Sentinel knows the others and the replica", async || {
                    for sentinel in &sentinels {
                        let known: HashMap<String, String> = sentinel.ask(&["SENTINEL", "MASTER", "main"]).await;
                        if known["num-slaves"] != "1" || known["num-other-sentinels"] != "2" {
                            return false;
                        }
                    }
                    let linked: String = data[1].ask(&["INFO", "replication"]).await;
                    linked.contains("master_link_status:up")
                })
                .await;
            }
            Topology::Cluster => {
                for _ in 0..NODES {
                    data.push(node(program, with).await);
                }
                join(&data).await;
            }
        }
        Self { topology, data, sentinels, certificates }
    }

    /// The configuration of a gateway that uses them.
    pub(crate) fn config(&self) -> CacheConfig {
        let mut config = CacheConfig {
            host: "127.0.0.1".to_owned(),
            port: self.data[0].port,
            tls: self.certificates.is_some(),
            tls_ca_file: self.certificates.as_ref().map(|certificates| certificates.file("ca.crt").into()),
            timeout_ms: 2_000,
            ..CacheConfig::default()
        };
        let addresses = |servers: &[Server]| {
            servers.iter().map(|server| ServerAddress { host: "127.0.0.1".to_owned(), port: server.port }).collect::<Vec<_>>()
        };
        match self.topology {
            Topology::Single => {}
            Topology::Sentinel => {
                let addresses = addresses(&self.sentinels);
                config.sentinel = Some(CacheSentinel { addresses, master_name: "main".to_owned() });
            }
            // The others are learnt.
            Topology::Cluster => config.cluster = Some(CacheCluster { addresses: addresses(&self.data[..2]) }),
        }
        config
    }
}

/// What the servers ask for.
pub(crate) fn passwords() -> Passwords {
    let secret = |text: &str| Some(SecretString::from(text));
    Passwords { server: secret(PASSWORD), sentinel: secret(SENTINEL_PASSWORD) }
}

async fn node(program: Program, tls: Option<&Certificates>) -> Server {
    let over_tls = if tls.is_some() { "tls-cluster yes\n" } else { "" };
    let bus = free_port();
    Server::start(program, tls, &format!("cluster-enabled yes\ncluster-port {bus}\ncluster-node-timeout 2000\n{over_tls}")).await
}

/// Gives each node its slots and has all meet the first one.
async fn join(nodes: &[Server]) {
    let (first, bus) = (&nodes[0], bus_port(&nodes[0]).await);
    for (n, node) in nodes.iter().enumerate() {
        node.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]).await;
        let (from, to) = (n * SLOTS / NODES, (n + 1) * SLOTS / NODES - 1);
        node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()]).await;
        if n > 0 {
            node.ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &first.port.to_string(), &bus]).await;
        }
    }
    eventually("every node of the cluster knows all slots", async || {
        for node in nodes {
            let info: String = node.ask(&["CLUSTER", "INFO"]).await;
            if !info.contains("cluster_state:ok") || !info.contains(&format!("cluster_known_nodes:{NODES}")) {
                return false;
            }
        }
        true
    })
    .await;
}

async fn bus_port(node: &Server) -> String {
    let setting: HashMap<String, String> = node.ask(&["CONFIG", "GET", "cluster-port"]).await;
    setting["cluster-port"].clone()
}
