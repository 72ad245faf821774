//! A pipeline on a real Kubernetes, from Helm to a cited answer. Needs KUBECONFIG in RAGLINE_E2E_KUBECONFIG or
//! target/cluster/kubeconfig, and the images of this repository on its nodes. Run one after the other
//! (`--test-threads 1`): they share the operator, and some restart it.

mod api;
mod forward;
mod programs;
mod world;

mod grants;
mod index;
mod leader;
mod mistakes;
mod story;
