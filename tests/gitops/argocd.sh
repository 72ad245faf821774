# Argo CD as processes beside the cluster: repo server, application controller and ApplicationSet controller, with a Valkey.
# To be sourced; needs argocd_build.sh, and `work`, `logs` and `kubectl`.
# shellcheck shell=bash

argocd_namespace=argocd

# argocd_start: returns once all three answer.
argocd_start() {
  local folder ports repo_port
  folder=$(argocd_folder)
  readarray -t ports < <(free_ports 6)
  repo_port=${ports[0]}
  "$repository/tests/servers/servers.sh" start "$work/servers" >"$logs/servers.log" 2>&1 || fail "no Valkey" "$logs/servers.log"
  # shellcheck source=/dev/null
  . "$work/servers/env"
  argocd_settings "$folder" >"$logs/argocd-settings.log" 2>&1 || fail "Argo CD's settings were refused" "$logs/argocd-settings.log"
  argocd_environment "$folder"
  argocd_run "$folder/argocd-repo-server" --port "$repo_port" --address 127.0.0.1 \
    --metrics-address 127.0.0.1 --metrics-port "${ports[1]}" --redis "$VALKEY_HOST:$VALKEY_PORT"
  argocd_wait argocd-repo-server "${ports[1]}" /metrics
  argocd_run "$folder/argocd-application-controller" --repo-server "127.0.0.1:$repo_port" \
    --metrics-port "${ports[2]}" --redis "$VALKEY_HOST:$VALKEY_PORT" --persist-resource-health
  argocd_run "$folder/argocd-applicationset-controller" --argocd-repo-server "127.0.0.1:$repo_port" \
    --metrics-addr "127.0.0.1:${ports[3]}" --probe-addr "127.0.0.1:${ports[4]}" --webhook-addr "127.0.0.1:${ports[5]}"
  argocd_wait argocd-application-controller "${ports[2]}" /healthz
  argocd_wait argocd-applicationset-controller "${ports[3]}" /metrics
  step "Argo CD $(module_version "$cluster_scripts/tools/argocd" "$argocd_module") runs beside the cluster"
}

# free_ports COUNT: ports that nothing listens on now, one a line.
free_ports() {
  python3 -c 'import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in sockets), sep="\n")' "$1"
}

# argocd_settings FOLDER: what Argo CD's own installation would bring, and our health script as charts/ragline/README.md says.
argocd_settings() {
  "$kubectl" apply --server-side -f "$1/crds" &&
    wait_quietly 30 "$kubectl" wait --for=condition=Established --timeout=30s crd/applications.argoproj.io \
      crd/applicationsets.argoproj.io crd/appprojects.argoproj.io &&
    "$kubectl" apply --server-side -f "$here/manifests/argocd.yaml" &&
    "$kubectl" create configmap argocd-cm --dry-run=client -o yaml \
      --from-file="resource.customizations.health.ragline.dev_RagPipeline=$repository/charts/ragline/argocd/health.lua" |
    "$kubectl" -n "$argocd_namespace" patch configmap argocd-cm --type merge --patch-file /dev/stdin
}

# argocd_environment FOLDER: the context of the kubeconfig names the namespace that the controllers take for their own.
argocd_environment() {
  mkdir -p "$work"/argocd/{home,tmp,tls,ssh,plugins}
  cp "$KUBECONFIG" "$work/argocd/kubeconfig"
  "$kubectl" --kubeconfig "$work/argocd/kubeconfig" config set-context --current --namespace "$argocd_namespace" >/dev/null
  : >"$work/argocd/ssh/ssh_known_hosts"
  argocd_variables=(HOME="$work/argocd/home" TMPDIR="$work/argocd/tmp" KUBECONFIG="$work/argocd/kubeconfig"
    PATH="$1:$output/bin:$PATH" ARGOCD_FAKE_IN_CLUSTER=true ARGOCD_GPG_ENABLED=false
    ARGOCD_TLS_DATA_PATH="$work/argocd/tls" ARGOCD_SSH_DATA_PATH="$work/argocd/ssh"
    ARGOCD_PLUGINSOCKFILEPATH="$work/argocd/plugins" REDIS_PASSWORD="$VALKEY_PASSWORD" GIT_CONFIG_GLOBAL=/dev/null)
}

# argocd_run PROGRAM ARGUMENTS...
argocd_run() {
  daemon "$work/argocd/$(basename "$1").pid" "$logs/$(basename "$1").log" env "${argocd_variables[@]}" "$@" --loglevel info
}

# argocd_wait NAME PORT PATH
argocd_wait() {
  WATCHED=$work/argocd/$1.pid wait_for 60 "$1" "$logs/$1.log" curl -sf --max-time 2 "http://127.0.0.1:$2$3"
}

# argocd_memory: what each process holds now, in MB.
argocd_memory() {
  local name pid
  for name in "${argocd_programs[@]}"; do
    read -r pid _ <"$work/argocd/$name.pid" || continue
    awk -v name="$name" '/^VmHWM/ { printf "%s %d MB at most\n", name, $2 / 1024 }' "/proc/$pid/status" 2>/dev/null || true
  done
}

argocd_stop() {
  local name
  for name in "${argocd_programs[@]}"; do daemon_stop "$work/argocd/$name.pid"; done
  "$repository/tests/servers/servers.sh" remove "$work/servers" || true
}
