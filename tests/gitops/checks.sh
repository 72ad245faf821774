# The table of checks, the git repository that Argo CD reads, and what a check waits for. To be sourced; needs cluster/lib/steps.sh,
# and `work`, `logs` and `kubectl`.
# shellcheck shell=bash

passed=0
failed=0

# check WHAT COMMAND...: one line of the table.
check() { must "$@" || true; }

# must WHAT COMMAND...: the same, and fails with the command, so that a story can end there.
must() {
  local what=$1 word=ok begin ms status=0
  shift
  begin=$(date +%s%3N)
  echo "== $what" >>"$logs/checks.log"
  "$@" >>"$logs/checks.log" 2>&1 || status=1
  ms=$(($(date +%s%3N) - begin))
  if [ $status = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)) word=FAILED; fi
  printf '%-6s %4d.%d s  %s\n' $word $((ms / 1000)) $((ms % 1000 / 100)) "$what"
  return $status
}

# repository_make: a bare repository, and a clone to write in.
repository_make() {
  export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
  repository_url=file://$work/repository.git
  git init --quiet --bare --initial-branch main "$work/repository.git"
  git clone --quiet "$repository_url" "$work/clone" 2>/dev/null
}

# push WORDS: commits all that lies in the clone; sets `revision`.
push() {
  local as=(-c user.name=gitops -c user.email=gitops@example.org)
  git -C "$work/clone" add --all
  git -C "$work/clone" "${as[@]}" commit --quiet -m "$1"
  git -C "$work/clone" push --quiet origin HEAD:main
  revision=$(git -C "$work/clone" rev-parse HEAD)
}

# manifest FILE NAME: a manifest of this folder with its places filled.
manifest() {
  sed -e "s|@NAME@|$2|; s|@REPOSITORY@|$repository_url|" "$here/manifests/$1.yaml"
}

# pipeline_put FOLDER NAME [SED…]: a pipeline into the clone, changed by sed.
pipeline_put() {
  mkdir -p "$work/clone/$1"
  manifest pipeline "$2" | sed "${@:3}" -e '' >"$work/clone/$1/pipeline.yaml"
}

argo() { "$kubectl" -n "$argocd_namespace" "$@"; }

# app_is APPLICATION PATH VALUE SECONDS
app_is() {
  argo wait "application/$1" "--for=jsonpath={.status.$2}=$3" "--timeout=${4}s"
}

# refresh APPLICATION [hard]: asks Argo CD to look at git and cluster again, and waits until it has.
refresh() {
  argo annotate application "$1" "argocd.argoproj.io/refresh=${2:-normal}" --overwrite >/dev/null
  wait_quietly 30 refreshed "$1"
}

refreshed() { [ -z "$(argo get application "$1" -o 'jsonpath={.metadata.annotations.argocd\.argoproj\.io/refresh}')" ]; }

# wait_quietly SECONDS COMMAND...: like wait_for, for what a check may survive.
wait_quietly() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || { echo "gave up: $*"; return 1; }
    sleep 0.2
  done
}

# deployed APPLICATION: the newest commit is what the cluster was told.
deployed() {
  refresh "$1" && app_is "$1" operationState.syncResult.revision "$revision" 60 &&
    app_is "$1" operationState.phase Succeeded 60 && app_is "$1" sync.status Synced 30
}

# healthy APPLICATION
healthy() { app_is "$1" health.status Healthy 240; }

# health_says APPLICATION TEXT: the message that Argo CD shows beside the pipeline.
health_says() {
  local said
  said=$(argo get application "$1" -o 'jsonpath={.status.resources[?(@.kind=="RagPipeline")].health.message}')
  echo "health says: $said"
  case $said in *"$2"*) ;; *) return 1 ;; esac
}

# watch APPLICATION: writes every state of sync and health into a file of `states`, until the script ends.
watch() {
  background "$states_folder/$1" "$kubectl" -n "$argocd_namespace" get application "$1" --watch --no-headers \
    -o custom-columns=SYNC:.status.sync.status,HEALTH:.status.health.status
}

# came_before APPLICATION STATE STATE: both were seen, in this order.
came_before() {
  cat "$states_folder/$1"
  awk -v one="$2" -v two="$3" '{ now = $1 " " $2 } now == one && !first { first = NR } now == two { last = NR }
    END { exit !(first && last > first) }' "$states_folder/$1"
}
