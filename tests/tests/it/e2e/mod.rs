//! A pipeline on a real Kubernetes, from Helm to a cited answer. Needs KUBECONFIG in RAGLINE_E2E_KUBECONFIG or
//! target/cluster/kubeconfig, and the images of this repository on its nodes.

#![expect(clippy::print_stdout, reason = "figures for the reader of the log")]

mod api;
mod forward;
mod load;
mod programs;
mod trust;
mod world;

mod class;
mod cloud_native_pg;
mod external;
#[cfg(feature = "cnpg")]
mod failover;
mod faults;
mod grants;
mod index;
mod leader;
mod mistakes;
mod network;
mod nodes;
mod replicas;
mod rollout;
mod rotation;
mod scale;
mod story;
#[cfg(feature = "cnpg")]
mod writes;
