# Installs the operator by Helm and applies the example, and waits for what the operator says. To be sourced by demo.sh.
# shellcheck shell=bash

# install_namespace NAME: one that admits only pods of PodSecurity "restricted".
install_namespace() {
  "$kubectl" apply --server-side --field-manager=ragline-demo -f - >>"$logs/install.log" 2>&1 <<END || fail "no namespace $1" "$logs/install.log"
apiVersion: v1
kind: Namespace
metadata:
  name: $1
  labels:
    pod-security.kubernetes.io/enforce: restricted
END
}

install_chart() {
  : >"$logs/install.log"
  [ -e "$demo/resource-was-there" ] || [ -e "$demo/resource-is-ours" ] ||
    if "$kubectl" get crd ragpipelines.ragline.dev >/dev/null 2>&1; then : >"$demo/resource-was-there"; else : >"$demo/resource-is-ours"; fi
  install_namespace "$operator_namespace"
  long 240 "helm: installing charts/ragline" "$logs/helm.log" "$helm" upgrade --install "$release" "$repository/charts/ragline" \
    --namespace "$operator_namespace" --wait --timeout 3m \
    --set "image.repository=$operator_image,image.tag=$image_tag" \
    --set "pipelineImages.gateway=$gateway_image,pipelineImages.postgres=$postgres_image,pipelineImages.valkey=$valkey_image"
}

install_pipeline() {
  local begin=$SECONDS
  install_namespace "$namespace"
  "$kubectl" -n "$namespace" apply -f "$repository/crds/examples/quickstart.yaml" >>"$logs/install.log" 2>&1 ||
    fail "the example was refused" "$logs/install.log"
  step "applied crds/examples/quickstart.yaml; its conditions, as they change:"
  install_watch 420
  "$kubectl" -n "$namespace" wait --for=condition=Ready "ragp/$pipeline" --timeout=5s >/dev/null || {
    "$kubectl" -n "$namespace" describe "ragp/$pipeline"
    "$kubectl" -n "$namespace" get pods,jobs,events
    "$kubectl" -n "$operator_namespace" logs "deployment/$release" --tail=30
    fail "the pipeline is not Ready after $((SECONDS - begin)) s; above is what the operator and the cluster say"
  }
  # A second run may find the pipeline Ready with the gateway of the first.
  "$kubectl" -n "$namespace" rollout status "deployment/$pipeline-gateway" --timeout=180s >"$logs/rollout.log" 2>&1 ||
    fail "the gateway was not rolled out" "$logs/rollout.log"
  step "the pipeline is Ready, $((SECONDS - begin)) s after it was applied"
}

# install_watch SECONDS: prints each change of a condition until Ready is True. A watch that ends by itself is begun anew.
install_watch() {
  local conditions='' one known=' ' watcher words deadline=$((SECONDS + $1))
  local path='{range .status.conditions[*]}{.type}={.status}({.reason}) {end}{"\n"}'
  # kubectl ends a watch whose template finds nothing, and a new pipeline has no conditions.
  "$kubectl" -n "$namespace" wait "--for=jsonpath={.status.conditions[0].type}" "ragp/$pipeline" --timeout=60s \
    >>"$logs/install.log" 2>&1 || return 0
  while [ "$SECONDS" -lt "$deadline" ]; do
    exec 3< <(exec timeout "$((deadline - SECONDS))" "$kubectl" -n "$namespace" get "ragp/$pipeline" --watch -o "jsonpath=$path" \
      2>>"$logs/install.log")
    watcher=$!
    while read -r -u 3 conditions; do
      read -ra words <<<"$conditions"
      for one in "${words[@]}"; do
        case $known in *" $one "*) ;; *) step "  $one" ;; esac
      done
      known=" $conditions "
      case $known in *' Ready=True('*) break 2 ;; esac
    done
    exec 3<&-
    kill "$watcher" 2>/dev/null || true
    sleep 1
  done
  exec 3<&-
  kill "$watcher" 2>/dev/null || true
}

# install_remove: from a cluster that stays. The resource goes only if the demo brought it and nobody else uses it.
install_remove() {
  "$kubectl" delete namespace "$namespace" --ignore-not-found --timeout=180s
  "$helm" uninstall "$release" --namespace "$operator_namespace" --ignore-not-found --wait --timeout 2m
  "$kubectl" delete namespace "$operator_namespace" --ignore-not-found --timeout=120s
  if [ -e "$demo/resource-is-ours" ] && [ -z "$("$kubectl" get ragp --all-namespaces -o name 2>/dev/null)" ]; then
    "$kubectl" delete crd ragpipelines.ragline.dev --ignore-not-found --timeout=60s
  fi
  step "the demo is gone from the cluster of KUBECONFIG; the images are left in $RAGLINE_IMAGE_REPOSITORY"
}
