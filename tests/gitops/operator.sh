# The story of the operator's own chart as an application: Argo CD takes over what Helm installed. The application is never
# deleted, since it holds the definition of every pipeline. To be sourced by run.sh.
# shellcheck shell=bash

story_operator() {
  local pods lines
  mkdir -p "$work/clone/ragline"
  cp -r "$repository"/charts/ragline/{Chart.yaml,values.yaml,values.schema.json,files,templates} "$work/clone/ragline/"
  push "the operator's chart"
  pods=$(operator_pods)
  operator_application | "$kubectl" apply -f - >>"$logs/checks.log" 2>&1
  watch ragline
  must "Argo CD finds nothing to change in what Helm installed" app_is ragline sync.status Synced 60 || return 0
  check "it is Healthy" healthy ragline
  check "the operator was not restarted" same "$pods" "$(operator_pods)"
  sed -i 's/^logLevel: info$/logLevel: info,ragline_operator=debug/' "$work/clone/ragline/values.yaml"
  push "tell more"
  must "a changed value is synced" deployed ragline || return 0
  check "the operator is rolled out, and Healthy" rolled_out
  lines=$(wc -l <"$states_folder/ragline")
  check "20 s of refreshes" refreshing ragline 20
  check "never OutOfSync or unhealthy meanwhile" only_state ragline "$lines" "Synced Healthy"
}

rolled_out() {
  "$kubectl" -n "$operator_namespace" rollout status deployment/ragline --timeout=120s && healthy ragline &&
    ! same "$pods" "$(operator_pods)"
}

# operator_application: with the values that Helm was given.
operator_application() {
  manifest application ragline | sed -e "s/namespace: \"ragline\"/namespace: $operator_namespace/" \
    -e 's/syncOptions: .*/syncOptions: [CreateNamespace=true, ServerSideApply=true]/' -e '/managedNamespaceMetadata/d' \
    -e "s|path: \"ragline\"}|path: ragline, helm: {releaseName: ragline, valuesObject: {image: {repository: localhost/ragline-operator, tag: dev}, pipelineImages: {gateway: \"localhost/ragline-gateway:dev\", postgres: \"localhost/ragline-postgres:dev\", valkey: \"localhost/ragline-valkey:dev\"}}}}|"
}

operator_pods() { "$kubectl" -n "$operator_namespace" get pods -o 'jsonpath={.items[*].metadata.uid}'; }
