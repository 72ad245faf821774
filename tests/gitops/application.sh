# The story of one application: it becomes Healthy, rests, is Degraded by a spec that only the operator refuses, and recovers.
# To be sourced by run.sh.
# shellcheck shell=bash

story_application() {
  pipeline_put library library
  echo '{apiVersion: v1, kind: ConfigMap, metadata: {name: about}, data: {team: library}}' >"$work/clone/library/about.yaml"
  push "a library"
  manifest application library | "$kubectl" apply -f - >>"$logs/checks.log" 2>&1
  watch library
  must "a commit is synced" deployed library || return 0
  must "synced to Healthy" healthy library || return 0
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
  local before lines audit
  audit=$(wc -l <"$state/log/audit.log")
  lines=$(wc -l <"$states_folder/library")
  before=$(pipeline_identity library)
  check "60 s of refreshes, every fourth a hard one" refreshing library 60
  check "never OutOfSync or unhealthy meanwhile" only_state library "$lines" "Synced Healthy"
  check "generation and managers of fields are as before" same "$before" "$(pipeline_identity library)"
  check "nobody wrote to the pipeline, but for the operator to its status" writes library "$audit"
  check "the operator has never written to the spec" operator_wrote_no_spec library
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

# only_state APPLICATION LINES STATE: since so many lines of the watch, nothing else was seen.
only_state() {
  tail -n "+$(($2 + 1))" "$states_folder/$1" |
    awk -v state="$3" '{ now = $1 " " $2; count[now]++ } now != state { wrong = 1 }
      END { for (now in count) print now, count[now]; exit wrong || !NR }'
}

# pipeline_identity NAMESPACE: its generation, and who owns which fields outside the status.
pipeline_identity() {
  "$kubectl" -n "$1" get ragp "$1" --show-managed-fields -o json | python3 -c '
import json, sys
metadata = json.load(sys.stdin)["metadata"]
print(metadata["generation"])
for one in metadata["managedFields"]:
    print(one["manager"], one["operation"], json.dumps(one["fieldsV1"]) if one.get("subresource") != "status" else "status")'
}

same() { diff <(echo "$1") <(echo "$2"); }

# writes NAMESPACE LINES: by the audit log of the API server, since so many lines.
writes() {
  tail -n "+$(($2 + 1))" "$state/log/audit.log" | python3 -c '
import json, sys
others = 0
for line in sys.stdin:
    event = json.loads(line)
    where = event.get("objectRef", {})
    if where.get("resource") != "ragpipelines" or where.get("namespace") != sys.argv[1]:
        continue
    if event["verb"] not in ("create", "update", "patch", "delete"):
        continue
    print(event["stageTimestamp"], event["user"]["username"], event["verb"], where.get("subresource", ""))
    others += not event["user"]["username"].endswith(":ragline") or where.get("subresource") != "status"
sys.exit(others > 0)' "$1"
}

operator_wrote_no_spec() {
  "$kubectl" -n "$1" get ragp "$1" --show-managed-fields -o json | python3 -c '
import json, sys
fields = json.load(sys.stdin)["metadata"]["managedFields"]
for one in fields:
    print(one["manager"], one["operation"], one.get("subresource", ""), sorted(one["fieldsV1"]))
ours = [one for one in fields if one["manager"].startswith("ragline")]
sys.exit(not ours or any("f:spec" in one["fieldsV1"] for one in ours))'
}

# breaking: a spec that the API server takes and the operator refuses.
breaking() {
  pipeline_put library library -e 's/maxMemory: 16Mi/maxMemory: 1Gi, resources: {limits: {memory: 256Mi}}/'
  push "more cache than memory"
  must "a spec that the operator refuses is synced" deployed library || return 0
  check "it is Degraded" app_is library health.status Degraded 60
  check "Argo CD shows the operator's reason" health_says library spec.cache.managed.resources
  pipeline_put library library
  push "as it was"
  must "the corrected spec is synced" deployed library || return 0
  check "it is Healthy again" healthy library
}
