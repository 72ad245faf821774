# The story of what hands do to an application's pipeline: an edit is taken back, a deleted child comes back, and a manifest that
# leaves git takes the pipeline and its children along, but not the data. To be sourced by run.sh.
# shellcheck shell=bash

story_healing() {
  local before volume
  pipeline_put healing healing
  echo '{apiVersion: v1, kind: ConfigMap, metadata: {name: about}, data: {team: healing}}' >"$work/clone/healing/about.yaml"
  push "a pipeline to be healed"
  manifest application healing | "$kubectl" apply -f - >>"$logs/checks.log" 2>&1
  must "a commit is synced" deployed healing || return 0
  must "synced to Healthy" healthy healing || return 0
  check "an edit by kubectl is taken back" edit_is_undone
  check "it is Healthy after that" settled healing
  before=$(uid deployment/healing-gateway)
  "$kubectl" -n healing delete deployment healing-gateway --wait=false >>"$logs/checks.log"
  check "a deleted Deployment comes back" is_another deployment/healing-gateway "$before"
  check "it is Healthy after that" settled healing
  volume=$(uid pvc/data-healing-postgres-0)
  git -C "$work/clone" rm --quiet healing/pipeline.yaml
  push "no pipeline any more"
  check "a manifest removed from git removes the pipeline" gone ragp/healing
  check "its children go with it" children_gone
  check "with deletionPolicy Retain the volume and the Secrets stay" data_stayed "$volume"
  pipeline_put healing healing
  push "the pipeline again"
  check "the manifest comes back: Healthy" returned
  check "on the same volume" same "$volume" "$(uid pvc/data-healing-postgres-0)"
}

uid() { "$kubectl" -n healing get "$1" -o 'jsonpath={.metadata.uid}'; }

edit_is_undone() {
  local path='{.spec.cache.managed.maxMemory}'
  "$kubectl" -n healing patch ragp healing --type merge -p '{"spec": {"cache": {"managed": {"maxMemory": "24Mi"}}}}' &&
    "$kubectl" -n healing wait ragp/healing "--for=jsonpath=$path=16Mi" --timeout=60s && app_is healing sync.status Synced 30
}

# settled APPLICATION: the operator has seen the newest spec and is done with it, and Argo CD says so.
settled() {
  local generation
  generation=$("$kubectl" -n "$1" get "ragp/$1" -o 'jsonpath={.metadata.generation}')
  "$kubectl" -n "$1" wait "ragp/$1" "--for=jsonpath={.status.observedGeneration}=$generation" --timeout=60s &&
    "$kubectl" -n "$1" wait "ragp/$1" --for=condition=Ready --timeout=240s && app_is "$1" health.status Healthy 60
}

# is_another OBJECT UID
is_another() { wait_quietly 60 another "$1" "$2"; }

another() {
  local now
  now=$(uid "$1" 2>/dev/null) && [ -n "$now" ] && [ "$now" != "$2" ]
}

# gone OBJECT: Argo CD is told of the commit, and the object ends.
gone() {
  refresh healing && "$kubectl" -n healing wait --for=delete "$1" --timeout=120s
}

children_gone() {
  "$kubectl" -n healing wait --for=delete --timeout=120s pods,deployments,statefulsets,services,jobs \
    --selector app.kubernetes.io/instance=healing
}

data_stayed() {
  "$kubectl" -n healing get pvc,secrets && same "$1" "$(uid pvc/data-healing-postgres-0)" && [ -n "$1" ] &&
    "$kubectl" -n healing get secrets -l app.kubernetes.io/instance=healing -o name | grep .
}

returned() { deployed healing && healthy healing; }
