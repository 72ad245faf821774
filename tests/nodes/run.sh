#!/bin/bash
# A node is lost, another one is cut off, the operator is exchanged and away: a cluster of its own of two nodes, and the stories of
# tests/it/e2e/nodes under traffic. The last line is "N passed, N failed"; exit status 1 when a story fails. Stops all that it started.
#
#   run.sh                  all stories
#   run.sh database         those whose name begins with the word
#
#   RAGLINE_BINARIES=DIR    take the two programs from DIR; default: cargo build --release
#   RAGLINE_NODES_CLUSTER   the cluster's name; default: ragline-nodes
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export RAGLINE_CLUSTER_NAME=${RAGLINE_NODES_CLUSTER:-ragline-nodes} NODES=2
# shellcheck source=tests/cluster/lib/settings.sh
. "$here/../cluster/lib/settings.sh"
for part in steps packages programs; do
  . "$cluster_scripts/lib/$part.sh"
done
# shellcheck source=tests/progress.sh
. "$here/../progress.sh"
# shellcheck source=tests/counting.sh
. "$here/../counting.sh"

logs=$repository/target/nodes
compiled=${CARGO_TARGET_DIR:-$repository/target}/release
# As in make test, so that nothing is compiled twice.
workspace=(--release --locked --workspace --features "ragline-tests/e2e ragline-tests/apiserver ragline-tests/programs")
words=("$@")
[ ${#words[@]} -gt 0 ] || words=('')

phase_compile() {
  [ -n "${RAGLINE_BINARIES:-}" ] || cargo build "${workspace[@]}" --bin ragline-operator --bin ragline-gateway
  cargo test "${workspace[@]}" --test it --no-run
}

phase_cluster() {
  "$here/../servers/fetch_model.sh" "$logs/model"
  "$cluster_scripts/up.sh"
  RAGLINE_BINARIES=${RAGLINE_BINARIES:-$compiled} RAGLINE_MODEL=$logs/model "$cluster_scripts/images.sh"
  "$cluster_scripts/load.sh"
  another_operator
  on_first_node
}

# another_operator: the operator's image under another tag, to upgrade to.
another_operator() {
  local folder pid
  for folder in "$state"/node[1-9]; do
    read -r pid _ <"$folder/containerd.pid"
    nsenter --target "$pid" --mount --net ctr --address "$folder/containerd.sock" --namespace k8s.io \
      images tag --force localhost/ragline-operator:dev localhost/ragline-operator:next
  done
}

# on_first_node: name server and provisioner, which every larger cluster has more than one of, are not what is lost here. The second node
# takes pods only while a story wants some there.
on_first_node() {
  local kubectl=$output/bin/kubectl
  export KUBECONFIG=$output/kubeconfig
  "$kubectl" cordon node2
  "$kubectl" -n kube-system rollout restart deployment coredns
  "$kubectl" -n volumes rollout restart deployment provisioner
  "$kubectl" -n kube-system rollout status deployment coredns --timeout=120s
  "$kubectl" -n volumes rollout status deployment provisioner --timeout=120s
}

phase_stories() {
  RAGLINE_E2E_KUBECONFIG=$output/kubeconfig RAGLINE_E2E_CLUSTER=$RAGLINE_CLUSTER_NAME \
    cargo_tests nodes "${workspace[@]}" --test it -- "${words[@]/#/e2e::nodes::}" --nocapture --test-threads 1
}

finish() {
  trap - EXIT
  stop_children
  "$cluster_scripts/down.sh" >"$logs/down.log" 2>&1 || { echo "error: the cluster was not removed; see $logs/down.log" >&2; failed_phases+=(down); }
  closing_line || exit 1
}

[ "$(id -u)" = 0 ] || fail "a local cluster makes network namespaces and mounts: run make test-nodes as root"
mkdir -p "$logs"
rm -f "$logs/results"
cd "$repository"
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
need_toolchains
phase compile
phase cluster
if failed compile cluster; then not_run stories "there is no cluster, or no program"; else phase stories; fi
