#!/bin/bash
# Argo CD as it is, on a local git repository and a cluster of its own with the operator installed by the chart. Prints a table
# of checks, and "N passed, N failed" as its last line; exit status 1 when a check fails. Stops all that it started.
#
#   run.sh                  all stories
#   run.sh sets fields      only these: operator, application, healing, sets, fields
#
#   RAGLINE_BINARIES=DIR    take the two programs from DIR; default: cargo build --release
#   RAGLINE_GITOPS_CLUSTER  the cluster's name; default: ragline-gitops
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export RAGLINE_CLUSTER_NAME=${RAGLINE_GITOPS_CLUSTER:-ragline-gitops} NODES=${NODES:-1}
# shellcheck source=tests/cluster/lib/settings.sh
. "$here/../cluster/lib/settings.sh"
for part in steps packages programs; do
  . "$cluster_scripts/lib/$part.sh"
done
# shellcheck source=tests/progress.sh
. "$here/../progress.sh"
for part in argocd_build argocd checks operator application healing sets fields; do
  . "$here/$part.sh"
done

logs=$repository/target/gitops
operator_namespace=ragline-system

cluster() {
  local built
  background "$logs/argocd-build.log" argocd_build
  built=$started
  "$cluster_scripts/up.sh" >"$logs/up.log" 2>&1 || fail "the cluster did not come up" "$logs/up.log"
  long 3600 "the images" "$logs/images.log" "$cluster_scripts/images.sh"
  long 300 "loading the images onto the nodes" "$logs/load.log" "$cluster_scripts/load.sh"
  attend "$built" "building Argo CD" "$logs/argocd-build.log" 2400 || fail "Argo CD was not built" "$logs/argocd-build.log"
}

# chart: the operator, as in tests/demo.
chart() {
  export KUBECONFIG=$output/kubeconfig
  kubectl=$output/bin/kubectl
  long 240 "helm: installing charts/ragline" "$logs/helm.log" "$output/bin/helm" upgrade --install ragline "$repository/charts/ragline" \
    --namespace "$operator_namespace" --create-namespace --wait --timeout 3m \
    --set image.repository=localhost/ragline-operator,image.tag=dev,pipelineImages.gateway=localhost/ragline-gateway:dev \
    --set pipelineImages.postgres=localhost/ragline-postgres:dev,pipelineImages.valkey=localhost/ragline-valkey:dev
}

finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  # A signal may come while a check writes into its log.
  exec >&3 2>&4
  stop_children
  [ ! -d "$work/argocd" ] || argocd_stop
  "$cluster_scripts/down.sh" >"$logs/down.log" 2>&1 || { echo "error: the cluster was not removed; see $logs/down.log" >&2; status=1; }
  rm -rf "$work"
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" != 0 ] || status=1
  exit "$status"
}

[ "$(id -u)" = 0 ] || fail "a local cluster makes network namespaces and mounts: run make test-gitops as root"
stories=("$@")
[ ${#stories[@]} -gt 0 ] || stories=(operator application healing sets fields)
for story in "${stories[@]}"; do
  declare -F "story_$story" >/dev/null || fail "there is no story called $story"
done
mkdir -p "$logs"
exec 3>&1 4>&2
: >"$logs/checks.log"
work=$(mktemp -d)
states_folder=$work/states
mkdir -p "$states_folder"
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
need_toolchains
cluster
chart
repository_make
argocd_start
for story in "${stories[@]}"; do
  step "story $story"
  "story_$story"
done
argocd_memory
