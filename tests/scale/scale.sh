#!/bin/bash
# Measures the operator with many pipelines: see the section "Scale" in tests/README.md. Needs no cluster and no root: etcd, the API
# server, the controllers and the scheduler are Kubernetes' own on loopback, nodes and pods are KWOK's. Prints a table and writes
# target/scale/results.json. Everything that is started here is stopped by its process id.
#
#   scale.sh          100 pipelines, then 1,000
#   scale.sh 100      only so many
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
# shellcheck source=tests/cluster/lib/steps.sh
. "$repository/tests/cluster/lib/steps.sh"
folder=$repository/target/scale
sizes=("$@")
[ ${#sizes[@]} -gt 0 ] || sizes=(100 1000)
rm -f "$folder/results.json" "$folder/operator.log"
mkdir -p "$folder"

stop_all() {
  trap - EXIT INT TERM
  "$repository/tests/cluster/apiserver.sh" stop "$folder/cluster"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step "building the operator and the measurement"
(cd "$repository" && cargo build --release --locked -p ragline-operator --bin ragline-operator &&
  cargo test --release --locked -p ragline-tests --features scale --test scale --no-run) >"$folder/build.log" 2>&1 ||
  fail "the build failed" "$folder/build.log"
measurement=$(sed -n 's/^ *Executable scale\/main.rs (\(.*\))$/\1/p' "$folder/build.log")
export RAGLINE_SCALE_OPERATOR=${RAGLINE_SCALE_OPERATOR:-${CARGO_TARGET_DIR:-$repository/target}/release/ragline-operator}
export RAGLINE_SCALE_RESULTS=$folder/results.json RAGLINE_SCALE_LOG=$folder/operator.log KUBECONFIG=$folder/cluster/kubeconfig
for size in "${sizes[@]}"; do
  step "$size pipelines"
  # Each size on a control plane of its own: what was deleted is still in etcd.
  "$repository/tests/cluster/apiserver.sh" stop "$folder/cluster"
  "$repository/tests/cluster/apiserver.sh" start "$folder/cluster" 4
  (cd "$repository" && RAGLINE_SCALE_PIPELINES=$size "$measurement")
done
step "results: $folder/results.json"
