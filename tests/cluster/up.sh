#!/bin/bash
# Starts a real Kubernetes on this machine: etcd, the control plane, two nodes, DNS and volumes. A second run on a
# running cluster takes seconds. README.md beside this file tells what it needs and what it changes.
#
#   up.sh                        RAGLINE_CLUSTER_NAME=ragline NODES=2
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/settings.sh
. "$here/lib/settings.sh"
for part in steps packages programs system_images pki network control_plane node node_config sysctls; do
  . "$here/lib/$part.sh"
done
[ "$(id -u)" = 0 ] || fail "a local cluster makes network namespaces, mounts and cgroups, and only root may do that"

prepare() {
  packages etcd-server=etcd containerd=containerd runc=runc nftables=nft iproute2=ip buildah=buildah curl=curl \
    openssl=openssl "containernetworking-plugins=$(cni_programs)/bridge"
  programs_build
  system_images
  mkdir -p "$state"
  chmod 711 "$states"
  if [ -s "$state/nodes" ] && [ "$(cat "$state/nodes")" != "$node_count" ]; then
    fail "the cluster $cluster has $(cat "$state/nodes") nodes; run down.sh before starting it with $node_count"
  fi
  echo "$node_count" >"$state/nodes"
  sysctls_save
}

control() {
  pki_control_plane "$api_ip" 6443
  inside=(nsenter "--net=/run/netns/$(node_namespace 1)")
  control_plane "$api_ip" 6443 2379 2380
  step "the API server is ready"
  # A node counts as lost after four missed reports.
  controllers 10257 --allocate-node-cidrs=false \
    --node-monitor-period=2s --node-monitor-grace-period=16s
  scheduler
  step "the controller-manager and the scheduler are healthy"
}

nodes() {
  local node jobs=() job
  for ((node = 1; node <= node_count; node++)); do
    node_start "$node" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do
    wait "$job" || exit 1
  done
  step "the daemons of the nodes are started"
}

kubectl() { "$bin/kubectl" --kubeconfig "$pki/admin.kubeconfig" --cache-dir "$state/kubectl" "$@"; }

addons() {
  local node paths=
  for ((node = 1; node <= node_count; node++)); do
    paths+="${paths:+, }{\"node\": \"node$node\", \"paths\": [\"$state/node$node/volumes\"]}"
  done
  sed -e "s|@COREDNS@|$coredns_image|; s|@PROVISIONER@|$provisioner_image|; s|@BUSYBOX@|$busybox_image|" \
    -e "s|@DNS_IP@|$dns_ip|; s|@PATHS@|$paths|" "$here"/manifests/*.yaml |
    kubectl apply --server-side --force-conflicts -f - >"$state/log/addons.log" 2>&1 ||
    fail "the manifests of DNS and volumes were refused" "$state/log/addons.log"
  for ((node = 1; node <= node_count; node++)); do
    WATCHED=$state/node$node/kubelet.pid wait_for 60 "node$node to be known to the API server" \
      "$state/node$node/log/kubelet.log" kubectl get node "node$node"
    WATCHED=$state/node$node/netpol.pid wait_for 30 "NetworkPolicies to be enforced on node$node" \
      "$state/node$node/log/netpol.log" test -S "$state/node$node/netpol.sock"
    kubectl wait --for=condition=Ready "node/node$node" --timeout=90s >/dev/null ||
      fail "node$node did not become Ready in 90 s" "$state/node$node/log/kubelet.log"
  done
  step "the nodes are Ready and enforce NetworkPolicies: $node_count"
  rollout kube-system coredns
  rollout volumes provisioner
  step "DNS and volumes are ready"
}

rollout() {
  kubectl -n "$1" rollout status "deployment/$2" --timeout=120s >/dev/null || {
    kubectl -n "$1" get pods,events >"$state/log/$2.log" 2>&1 || true
    fail "the deployment $2 did not become ready in 120 s" "$state/log/$2.log"
  }
}

hand_over() {
  mkdir -p "$output/bin"
  cp -p "$pki/admin.kubeconfig" "$output/kubeconfig"
  ln -sfn "$bin/kubectl" "$output/bin/kubectl"
  ln -sfn "$(program_folder helm)/helm" "$output/bin/helm"
  step "the cluster $cluster is up: KUBECONFIG=$output/kubeconfig, kubectl and helm are in $output/bin"
}

mkdir -p "$states" "$cache/log"
exec 9>"$states/.lock"
flock -w 900 9 || fail "another run of up.sh or down.sh has been busy for 15 minutes"
prepare
network
control
nodes
addons
hand_over
