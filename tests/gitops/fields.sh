# The story of two writers: server-side apply by Argo CD and by somebody else, each with his own fields; and a pipeline out of a
# Helm chart. To be sourced by run.sh.
# shellcheck shell=bash

story_fields() {
  pipeline_put fields fields
  push "a pipeline with two writers"
  manifest application fields | sed 's/syncOptions: .*/syncOptions: [CreateNamespace=true, ServerSideApply=true]/' |
    "$kubectl" apply -f - >>"$logs/checks.log" 2>&1
  watch fields
  must "server-side apply: a commit is synced" deployed fields || return 0
  must "synced to Healthy" healthy fields || return 0
  check "another manager applies a field that git does not name" other_applies 'logging: {level: debug}'
  check "both writers' fields stay over 20 s of refreshes" both_stay
  check "another manager is refused a field of Argo CD's" other_is_refused 'cache: {managed: {maxMemory: 24Mi}}'
  check "a commit changes its own field, the other's stays" commit_beside_other
  argo annotate application fields argocd.argoproj.io/compare-options=ServerSideDiff=true >>"$logs/checks.log"
  check "compared by the API server (ServerSideDiff): Synced over 20 s" refreshing fields 20
  check "the operator has never written to the spec" operator_wrote_no_spec fields
  check "a commit that stops it makes it Suspended" stopped
  rendered
}

# other_applies SPEC
other_applies() {
  "$kubectl" -n fields apply --server-side --field-manager=other -f - <<<"
apiVersion: ragline.dev/v1alpha1
kind: RagPipeline
metadata: {name: fields}
spec: {$1}"
}

other_is_refused() {
  local answer
  ! answer=$(other_applies "$1" 2>&1) || return 1
  echo "$answer"
  grep -q 'conflict.*argocd-controller' <<<"$answer"
}

both_stay() {
  local before
  before=$("$kubectl" -n fields get ragp fields -o 'jsonpath={.metadata.generation}')
  refreshing fields 20 && fields_are 16Mi debug &&
    same "$before" "$("$kubectl" -n fields get ragp fields -o 'jsonpath={.metadata.generation}')"
}

# fields_are MEMORY LEVEL
fields_are() {
  same "$1 $2" "$("$kubectl" -n fields get ragp fields -o 'jsonpath={.spec.cache.managed.maxMemory} {.spec.logging.level}')"
}

commit_beside_other() {
  pipeline_put fields fields -e 's/maxMemory: 16Mi/maxMemory: 24Mi/'
  push "more cache"
  deployed fields && fields_are 24Mi debug
}

stopped() {
  pipeline_put fields fields -e 's/^spec:/spec:\n  stopped: true/'
  push "no questions for now"
  deployed fields && app_is fields health.status Suspended 120
}

# rendered: the manifest out of a chart.
rendered() {
  local chart=$work/clone/rendered
  mkdir -p "$chart/templates"
  printf '%s\n' 'apiVersion: v2' 'name: rendered' 'version: 0.1.0' >"$chart/Chart.yaml"
  echo 'maxMemory: 16Mi' >"$chart/values.yaml"
  manifest pipeline rendered | sed -e 's/maxMemory: 16Mi/maxMemory: {{ .Values.maxMemory }}/' \
    -e 's/name: rendered/name: {{ .Release.Name }}/' >"$chart/templates/pipeline.yaml"
  push "a chart"
  manifest application rendered | "$kubectl" apply -f - >>"$logs/checks.log" 2>&1
  must "a pipeline out of a Helm chart is synced" deployed rendered || return 0
  check "it is Healthy" healthy rendered
  check "Synced over 20 s of refreshes" refreshing rendered 20
}
