#!/bin/bash
# All tests, from values to a real cluster, with all they need, on a bare Debian 12 as root with git, make, curl, Rust, Go and
# Python. The last line says how many passed and failed; the exit status is 0 only when every test ran and passed.
#
#   run.sh                all phases
#   run.sh compile tests  only these: lint, compile, tests, clients, cluster, netpol, e2e
#
# Programs of the cluster, images and the model are kept in RAGLINE_CACHE (see cluster/README.md), logs in target/test.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export RAGLINE_CLUSTER_NAME=${RAGLINE_TEST_CLUSTER:-ragline-test}
# shellcheck source=tests/cluster/lib/settings.sh
. "$here/cluster/lib/settings.sh"
for part in steps packages programs system_images base_image; do
  . "$here/cluster/lib/$part.sh"
done
# shellcheck source=tests/progress.sh
. "$here/progress.sh"
# shellcheck source=tests/counting.sh
. "$here/counting.sh"

logs=$repository/target/test
compiled=${CARGO_TARGET_DIR:-$repository/target}/release
# The tests are compiled as the images are, so that nearly four hundred packages are compiled once and not twice.
workspace=(--release --locked --workspace --features "ragline-tests/e2e ragline-tests/apiserver ragline-tests/programs")
# prepare: everything that has to be there first. It starts what is built beside the Rust compiler: the cluster's programs and
# the images that hold none of ours.
prepare() {
  need_toolchains
  [ "$(id -u)" = 0 ] || fail "the tests on a cluster make network namespaces and mounts: run make test as root"
  background "$logs/programs.log" build_beside
  beside=$started
  "$here/servers/fetch_model.sh" "$logs/model"
  export RAGLINE_MODEL_DIR=$logs/model
}

build_beside() {
  packages etcd-server=etcd buildah=buildah debootstrap=debootstrap redis-server=redis-server
  programs_build
  "$here/monitoring/programs.sh"
  system_images
  "$cluster_scripts/images.sh" postgres valkey
}

beside_wait() {
  [ -n "$beside" ] || return 0
  attend "$beside" "building the cluster's programs" "$logs/programs.log" 2400 ||
    fail "building the cluster's programs failed" "$logs/programs.log"
  beside=''
}

phase_lint() {
  cargo fmt --all --check
  cargo clippy "${workspace[@]}" --all-targets -- -D warnings
}

phase_compile() {
  cargo build "${workspace[@]}" --bin ragline-operator --bin ragline-gateway
  cargo test "${workspace[@]}" --no-run
}

# phase_tests: all that need no cluster; they start PostgreSQL, Valkey and a Kubernetes API server by themselves.
phase_tests() {
  cargo_tests tests "${workspace[@]}" -- --skip e2e::
}

# phase_clients: programs of others that speak OpenAI's API and the Model Context Protocol, and requests made from the description.
phase_clients() {
  local script status=0
  for script in run mcp schemathesis; do
    RAGLINE_BINARIES=${RAGLINE_BINARIES:-$compiled} "$here/clients/$script.sh" 2>&1 | tee "$logs/clients-$script.log" || status=$?
    awk -v name="clients-$script" '/^[0-9]+ passed, [0-9]+ failed$/ { print name, $1, $3 }' "$logs/clients-$script.log" >>"$logs/results"
  done
  return "$status"
}

phase_cluster() {
  RAGLINE_BINARIES=${RAGLINE_BINARIES:-$compiled} RAGLINE_MODEL=$RAGLINE_MODEL_DIR "$cluster_scripts/images.sh"
  "$cluster_scripts/up.sh"
  "$cluster_scripts/load.sh"
}

# phase_netpol: that the cluster enforces NetworkPolicies, or tests of ours that rely on it would prove nothing.
phase_netpol() {
  local status=0
  (cd "$cluster_scripts/tools/netpol" && go test ./...)
  "$cluster_scripts/netpol_test.sh" 2>&1 | tee "$logs/netpol.log" || status=$?
  awk '/ passed, .* failed$/ { print "netpol", $1, $3 }' "$logs/netpol.log" >>"$logs/results"
  return "$status"
}

# phase_e2e: two tests at a time, since the nodes share the machine's cores with them. Nodes are lost in tests/nodes alone.
phase_e2e() {
  RAGLINE_E2E_KUBECONFIG=$output/kubeconfig \
    cargo_tests e2e "${workspace[@]}" --test it -- e2e:: --skip e2e::nodes:: --test-threads "${RAGLINE_E2E_THREADS:-2}"
}

finish() {
  trap - EXIT
  stop_children
  [ "$(id -u)" != 0 ] || "$cluster_scripts/down.sh" || true
  closing_line || exit 1
}

mkdir -p "$logs"
rm -f "$logs/results"
cd "$repository"
phases=("$@")
[ ${#phases[@]} -gt 0 ] || phases=(lint compile tests clients cluster netpol e2e)
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
prepare
for name in "${phases[@]}"; do
  case $name in tests | cluster) beside_wait ;; esac
  case $name in
    netpol | e2e) if failed cluster; then not_run "$name" "there is no cluster"; else phase "$name"; fi ;;
    *) phase "$name" ;;
  esac
done
