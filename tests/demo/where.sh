# Which cluster the demo runs on: `own` (that of KUBECONFIG), `kind` or `local`. To be sourced by demo.sh.
# shellcheck shell=bash

kind_cluster=ragline-demo

runs_docker() { command -v docker >/dev/null && timeout 20 docker info >/dev/null 2>&1; }

# where_choose: decides and says why. The local cluster starts at once, beside the compiler.
where_choose() {
  where=${RAGLINE_DEMO_CLUSTER:-}
  if [ -n "$where" ]; then
    step "the cluster is '$where', as RAGLINE_DEMO_CLUSTER says"
  elif [ -n "${KUBECONFIG:-}" ] && [ -n "${RAGLINE_IMAGE_REPOSITORY:-}" ]; then
    where=own
    step "the cluster is that of KUBECONFIG; images go to $RAGLINE_IMAGE_REPOSITORY"
  elif command -v kind >/dev/null && runs_docker; then
    where=kind
    step "the cluster is one of kind (the project's own tests use the local cluster instead)"
  else
    where=local
    step "the cluster is the local one of tests/cluster, as there is no kind with docker here"
    [ -z "${KUBECONFIG:-}" ] || step "KUBECONFIG is left alone: set RAGLINE_IMAGE_REPOSITORY too, to use that cluster"
  fi
  case $where in
    own)
      if [ -z "${KUBECONFIG:-}" ] || [ -z "${RAGLINE_IMAGE_REPOSITORY:-}" ]; then
        fail "set both KUBECONFIG and RAGLINE_IMAGE_REPOSITORY"
      fi ;;
    kind | local) ;;
    *) fail "RAGLINE_DEMO_CLUSTER is '$where': use local, kind or own" ;;
  esac
  [ "$where" != local ] || [ "$(id -u)" = 0 ] ||
    fail "the local cluster needs root: run this as root, or install docker and kind, or set KUBECONFIG and RAGLINE_IMAGE_REPOSITORY"
  need_toolchains
  case $where in
    local) background "$logs/cluster.log" "$cluster_scripts/up.sh" ;;
    kind) background "$logs/cluster.log" where_kind_up ;;
    own) background "$logs/cluster.log" true ;;
  esac
  where_started=$started
  printf '%s\n%s\n' "$where" "${KUBECONFIG:-}" >"$demo/where"
}

where_kind_up() {
  kind get clusters 2>/dev/null | grep -qx "$kind_cluster" || kind create cluster --name "$kind_cluster" --wait 180s
  kind get kubeconfig --name "$kind_cluster" >"$demo/kubeconfig"
}

# where_ready: the cluster answers; kubectl and helm are known.
where_ready() {
  attend "$where_started" "the cluster" "$logs/cluster.log" 2400 || fail "the cluster did not come up" "$logs/cluster.log"
  where_programs
  "$kubectl" get nodes >"$logs/nodes.log" 2>&1 || fail "the cluster does not answer" "$logs/nodes.log"
  step "the cluster answers; its nodes: $(awk 'NR > 1 { printf "%s ", $1 }' "$logs/nodes.log")"
}

# where_programs: the local cluster brings kubectl and helm along; elsewhere they are taken from PATH, or built.
where_programs() {
  case $where in
    local) KUBECONFIG=$output/kubeconfig ;;
    kind) KUBECONFIG=$demo/kubeconfig ;;
  esac
  export KUBECONFIG
  kubectl=$output/bin/kubectl helm=$output/bin/helm
  [ "$where" != local ] || return 0
  kubectl=$(command -v kubectl) || { kubernetes_build && kubectl=$bin/kubectl; }
  helm=$(command -v helm) || { program helm helm helm.sh/helm/v4/cmd/helm && helm=$(program_folder helm)/helm; }
}

# where_chosen: what `up` decided.
where_chosen() {
  { read -r where; read -r KUBECONFIG; } <"$demo/where"
}

where_remove() {
  case $where in
    local)
      "$cluster_scripts/down.sh"
      rm -rf "${output:?}/bin" ;;
    kind)
      kind delete cluster --name "$kind_cluster"
      step "kind's cluster $kind_cluster is gone" ;;
    own)
      where_programs
      install_remove ;;
  esac
}
