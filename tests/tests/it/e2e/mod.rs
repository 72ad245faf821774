//! A pipeline on a real Kubernetes, from Helm to a cited answer. Needs KUBECONFIG in RAGLINE_E2E_KUBECONFIG or
//! target/cluster/kubeconfig, and the images of this repository on its nodes.

mod api;
mod forward;
mod programs;
mod world;

mod grants;
mod index;
mod mistakes;
mod story;
