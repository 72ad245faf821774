#!/bin/bash
# A pipeline on a PostgreSQL that CloudNativePG runs, on a cluster where that is installed, and the loss of its primary. Fails at once
# where it is not. The images of this repository must be on the cluster's nodes.
#
#   cnpg.sh
#
#   RAGLINE_E2E_KUBECONFIG=FILE      the cluster; default: target/cluster/kubeconfig
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cluster/lib/settings.sh
. "$here/cluster/lib/settings.sh"
# shellcheck source=tests/cluster/lib/steps.sh
. "$here/cluster/lib/steps.sh"
# shellcheck source=tests/counting.sh
. "$here/counting.sh"

logs=$repository/target/cnpg
kind=clusters.postgresql.cnpg.io
export RAGLINE_E2E_KUBECONFIG=${RAGLINE_E2E_KUBECONFIG:-$repository/target/cluster/kubeconfig}
[ -s "$RAGLINE_E2E_KUBECONFIG" ] || fail "there is no $RAGLINE_E2E_KUBECONFIG: let RAGLINE_E2E_KUBECONFIG name a cluster with CloudNativePG"
RAGLINE_E2E_KUBECONFIG=$(realpath "$RAGLINE_E2E_KUBECONFIG")
kubectl=$(dirname "$RAGLINE_E2E_KUBECONFIG")/bin/kubectl
[ -x "$kubectl" ] || kubectl=kubectl
mkdir -p "$logs"
"$kubectl" --kubeconfig "$RAGLINE_E2E_KUBECONFIG" get crd "$kind" >"$logs/crd.log" 2>&1 ||
  fail "the cluster of $RAGLINE_E2E_KUBECONFIG has no CloudNativePG ($kind): install it as its manual says, and run this again" "$logs/crd.log"
cd "$repository"
rm -f "$logs/results"
# The features are those of make test, so that only this package is compiled anew.
cargo_tests cnpg --release --locked --workspace \
  --features "ragline-tests/e2e ragline-tests/apiserver ragline-tests/programs ragline-tests/cnpg" \
  --test it -- e2e::failover:: --test-threads 1 --nocapture
