#!/bin/bash
# Runs inside a node's network namespace and a new mount namespace: containerd, netpol, the kubelet and kube-proxy.
# node_inside.sh NUMBER FOLDER_OF_PROGRAMS. Called by node.sh only.
set -euo pipefail

index=$1 bin=$2
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=settings.sh
. "$here/settings.sh"
# shellcheck source=steps.sh
. "$here/steps.sh"
# shellcheck source=programs.sh
. "$here/programs.sh"
# shellcheck source=system_images.sh
. "$here/system_images.sh"
# shellcheck source=node_config.sh
. "$here/node_config.sh"
name=node$index
folder=$state/$name
address=$(node_ip "$index")

mounts() {
  local cgroups
  # sysfs shows the devices of the network namespace that mounted it, so it is mounted anew; the cgroups below it stay.
  cgroups=$(mktemp -d)
  mount --rbind /sys/fs/cgroup "$cgroups"
  mount -t sysfs sysfs /sys
  mount --rbind "$cgroups" /sys/fs/cgroup
  umount -l "$cgroups"
  rmdir "$cgroups"
  mkdir -p /var/lib/kubelet /var/log/pods
  mount --bind "$folder/kubelet" /var/lib/kubelet
  mount --bind "$folder/pods" /var/log/pods
  mount --make-rshared /
}

import_images() {
  local archive
  while read -r archive; do
    ctr -a "$folder/containerd.sock" -n k8s.io images import "$archive" >>"$folder/log/images.log" 2>&1 ||
      fail "importing $archive failed" "$folder/log/images.log"
  done < <(system_archives)
}

mounts
containerd_config >"$folder/etc/containerd.toml"
cni_folder
cni_config >"$folder/etc/cni/10-bridge.conflist"
kubelet_config >"$folder/etc/kubelet.yaml"
proxy_config >"$folder/etc/kube-proxy.yaml"
# Names are answered by the cluster's own server; a pod that uses the node's resolver finds none.
echo 'nameserver 127.0.0.1' >"$folder/etc/resolv.conf"

daemon "$folder/containerd.pid" "$folder/log/containerd.log" containerd --config "$folder/etc/containerd.toml"
WATCHED=$folder/containerd.pid wait_for 30 "containerd of $name" "$folder/log/containerd.log" \
  ctr -a "$folder/containerd.sock" version
import_images
daemon "$folder/netpol.pid" "$folder/log/netpol.log" "$(program_folder netpol)/netpol" \
  --kubeconfig "$pki/netpol.kubeconfig" --node "$name" --socket "$folder/netpol.sock"
daemon "$folder/kubelet.pid" "$folder/log/kubelet.log" "$bin/kubelet" --config="$folder/etc/kubelet.yaml" \
  --kubeconfig="$pki/$name.kubeconfig" --hostname-override="$name" --node-ip="$address" --root-dir=/var/lib/kubelet
daemon "$folder/kube-proxy.pid" "$folder/log/kube-proxy.log" "$bin/kube-proxy" --config="$folder/etc/kube-proxy.yaml"
