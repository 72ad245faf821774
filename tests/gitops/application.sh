# The story of one application: it becomes Healthy, rests, is Degraded by a spec that only the operator refuses, and recovers.
# To be sourced by run.sh.
# shellcheck shell=bash

story_application() {
  pipeline_put library library
  echo '{apiVersion: v1, kind: ConfigMap, metadata: {name: about}, data: {team: library}}' >"$work/clone/library/about.yaml"
  push "a library"
  manifest application library | "$kubectl" apply -f - >>"$logs/checks.log" 2>&1
  watch library
  check "a commit is synced" deployed library || return 0
  check "synced to Healthy" healthy library || return 0
  check "Progressing came before Healthy" came_before library "Synced Progressing" "Synced Healthy"
  check "Argo CD shows what the condition Ready says" ready_is_shown library
  resting
  breaking
}

ready_is_shown() {
  health_says "$1" "$("$kubectl" -n "$1" get ragp "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].message}')"
}

# resting: a minute in which nobody changes anything.
resting() {
  local before after lines audit
  audit=$(wc -l <"$state/log/audit.log")
  before=$(pipeline_identity library)
  lines=$(wc -l <"$states_folder/library")
  check "60 s of refreshes, every fourth a hard one" refreshing library 60
  after=$(pipeline_identity library)
  check "never OutOfSync meanwhile" only_state library "$lines" "Synced Healthy"
  check "generation, resourceVersion and managers of fields are as before" same "$before" "$after"
  check "nobody wrote to the pipeline" no_writes library "$audit"
  check "the operator has only ever written status and finalizers" operator_wrote_no_spec library
}

# refreshing APPLICATION SECONDS
refreshing() {
  local deadline=$((SECONDS + $2)) count=0
  while [ "$SECONDS" -lt "$deadline" ]; do
    count=$((count + 1))
    if [ $((count % 4)) = 0 ]; then refresh "$1" hard || return 1; else refresh "$1" || return 1; fi
    app_is "$1" sync.status Synced 1 || return 1
    sleep 2
  done
  echo "$count refreshes"
}

# only_state APPLICATION LINES STATE: since so many lines, nothing else was seen.
only_state() {
  tail -n "+$(($2 + 1))" "$states_folder/$1" | tr -s ' ' | grep -vxE "$3 ?" | { ! grep . ; }
}

pipeline_identity() {
  "$kubectl" -n "$1" get ragp "$1" --show-managed-fields \
    -o 'jsonpath={.metadata.generation} {.metadata.resourceVersion} {.metadata.managedFields}'
}

same() { diff <(echo "$1") <(echo "$2"); }

# no_writes NAMESPACE LINES: by the audit log of the API server, since so many lines.
no_writes() {
  tail -n "+$(($2 + 1))" "$state/log/audit.log" | grep '"resource":"ragpipelines"' | grep "\"namespace\":\"$1\"" |
    grep -E '"verb":"(create|update|patch|delete)"' | { ! grep . ; }
}

operator_wrote_no_spec() {
  "$kubectl" -n "$1" get ragp "$1" --show-managed-fields -o json | python3 -c '
import json, sys
fields = json.load(sys.stdin)["metadata"]["managedFields"]
for one in fields:
    print(one["manager"], one["operation"], one.get("subresource", ""), sorted(one["fieldsV1"]))
ours = [one for one in fields if "ragline" in one["manager"]]
sys.exit(not ours or any("f:spec" in one["fieldsV1"] for one in ours))'
}

# breaking: a spec that the API server takes and the operator refuses.
breaking() {
  pipeline_put library library -e 's/maxMemory: 16Mi/maxMemory: 1Gi, resources: {limits: {memory: 256Mi}}/'
  push "more cache than memory"
  check "a spec that the operator refuses is synced" deployed library || return 0
  check "it is Degraded" app_is library health.status Degraded 60
  check "Argo CD shows the operator's reason" health_says library spec.cache.managed.resources
  pipeline_put library library
  push "as it was"
  check "the corrected spec is synced" deployed library || return 0
  check "it is Healthy again" healthy library
}
