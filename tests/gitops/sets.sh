# The story of an ApplicationSet: a pipeline for each folder of git, one for a folder that is added, none for one that is removed.
# To be sourced by run.sh.
# shellcheck shell=bash

story_sets() {
  pipeline_put teams/red assistant
  pipeline_put teams/blue assistant
  push "two teams"
  manifest applicationset teams | "$kubectl" apply -f - >>"$logs/checks.log" 2>&1
  must "two folders make two applications" applications team-blue team-red || return 0
  check "the first team's pipeline is Healthy" healthy team-red
  check "the second team's pipeline is Healthy" healthy team-blue
  pipeline_put teams/green assistant
  push "a third team"
  check "a third folder makes a third application" applications team-blue team-green team-red
  check "the third team's pipeline is Healthy" healthy team-green
  git -C "$work/clone" rm -r --quiet teams/blue
  push "a team less"
  check "a removed folder removes its application" applications team-green team-red
  check "and its pipeline" "$kubectl" -n team-blue wait --for=delete ragp/assistant --timeout=120s
  check "the others are Healthy still" both_healthy
}

# applications NAME...: exactly these come out of the set. It is asked to look at git again until they do, since a request that
# arrives while it looks is lost.
applications() {
  wait_quietly 120 applications_are "$*"
}

applications_are() {
  local names
  argo annotate applicationset teams argocd.argoproj.io/application-set-refresh=true --overwrite >/dev/null
  wait_quietly 30 set_refreshed || return 1
  names=$(argo get applications -o 'jsonpath={range .items[?(@.metadata.ownerReferences[0].name=="teams")]}{.metadata.name} {end}')
  [ "$names" = "$1 " ]
}

set_refreshed() {
  [ -z "$(argo get applicationset teams -o 'jsonpath={.metadata.annotations.argocd\.argoproj\.io/application-set-refresh}')" ]
}

both_healthy() { app_is team-green health.status Healthy 5 && app_is team-red health.status Healthy 5; }
