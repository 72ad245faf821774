#!/bin/bash
# A Kubernetes API server without nodes, for tests of resources: etcd, kube-apiserver and controller-manager on free
# loopback ports, in about three seconds, also for a user who is not root.
#
#   apiserver.sh start DIR [NODES]   starts it and writes DIR/kubeconfig; does nothing when it runs already. NODES are
#                                    simulated by KWOK, with a scheduler: pods are there, containers are not
#   apiserver.sh stop DIR            stops it and removes what it wrote into DIR
set -euo pipefail

command=${1:-} folder=${2:-} nodes=${3:-0}
if [ -z "$folder" ] || { [ "$command" != start ] && [ "$command" != stop ]; }; then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/settings.sh
. "$here/lib/settings.sh"
for part in steps packages programs pki control_plane; do
  . "$here/lib/$part.sh"
done
mkdir -p "$folder"
cluster=apiserver
state=$(cd "$folder" && pwd)/apiserver
pki=$state/pki

# free_ports COUNT: ports that nothing listens on now, chosen by the kernel.
free_ports() {
  python3 -c 'import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in sockets))' "$1"
}

stop() {
  control_plane_stop
  rm -rf "$state" "$folder/kubeconfig"
}

start() {
  local port etcd_port peer_port controllers_port scheduler_port
  if daemon_runs "$state/kube-apiserver.pid" && daemon_runs "$state/etcd.pid" && [ -s "$folder/kubeconfig" ]; then
    step "the API server runs already: KUBECONFIG=$folder/kubeconfig"
    return
  fi
  stop
  packages etcd-server=etcd curl=curl openssl=openssl
  kubernetes_build
  [ "$nodes" = 0 ] || program kwok kwok sigs.k8s.io/kwok/cmd/kwok
  read -r port etcd_port peer_port controllers_port scheduler_port < <(free_ports 5)
  pki_control_plane 127.0.0.1 "$port"
  trap 'stop' ERR EXIT
  # Debian's etcd cannot stream a list; where the API server does not offer it, KWOK's watches begin without waiting.
  [ "$nodes" = 0 ] || api_server_flags=(--feature-gates=WatchList=false)
  control_plane 127.0.0.1 "$port" "$etcd_port" "$peer_port"
  if [ "$nodes" = 0 ]; then
    controllers "$controllers_port"
  else
    # What is measured is ours, so Kubernetes' own programs are not held back; a simulated node sends no sign of life.
    controllers "$controllers_port" --kube-api-qps=1000 --kube-api-burst=2000 --node-monitor-grace-period=24h
    scheduler "$scheduler_port" --kube-api-qps=1000 --kube-api-burst=2000
    simulated_nodes "$nodes"
  fi
  trap - ERR EXIT
  cp -p "$pki/admin.kubeconfig" "$folder/kubeconfig"
  step "the API server is ready: KUBECONFIG=$folder/kubeconfig"
}

"$command"
