# The configuration files of a node's daemons. To be sourced; each function prints one file. Needs settings.sh and
# `index`, `name`, `folder` and `address` of the node.
# shellcheck shell=bash

# restrict_oom_score_adj: root in a sandbox may lack the right to lower that score, and runc ends without it.
# netns_mounts_under_state_dir: else the namespaces of pods stay behind in /run/netns.
containerd_config() {
  local major
  major=$(containerd --version | sed -E 's/.* v?([0-9]+)\..*/\1/')
  if [ "$major" -ge 2 ]; then containerd_config_3; else containerd_config_2; fi
}

containerd_config_2() {
  cat <<EOF
version = 2
root = "$folder/containerd/root"
state = "$folder/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "$folder/containerd.sock"
[ttrpc]
  address = "$folder/containerd.sock.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$pause_image"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$folder/cni"
    conf_dir = "$folder/etc/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
EOF
}

containerd_config_3() {
  cat <<EOF
version = 3
root = "$folder/containerd/root"
state = "$folder/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.nri.v1.nri"]
[grpc]
  address = "$folder/containerd.sock"
[ttrpc]
  address = "$folder/containerd.sock.ttrpc"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "$pause_image"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["$folder/cni"]
    conf_dir = "$folder/etc/cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
EOF
}

# Debian puts the network plugins into /usr/lib/cni, others into /opt/cni/bin.
cni_programs() {
  if [ -x /opt/cni/bin/bridge ]; then echo /opt/cni/bin; else echo /usr/lib/cni; fi
}

# cni_folder: the runtime looks into one folder only, and the last plugin is our own.
cni_folder() {
  ln -sfn "$(cni_programs)"/* "$folder/cni/"
  ln -sfn "$(program_folder netpol)/netpol" "$folder/cni/netpol"
}

cni_config() {
  cat <<EOF
{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true,
 "ipMasq": false, "hairpinMode": true, "ipam": {"type": "host-local", "dataDir": "$folder/addresses",
 "ranges": [[{"subnet": "$(node_pods "$index")"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
 {"type": "netpol", "socket": "$folder/netpol.sock"}]}
EOF
}

# The status is told every four seconds, so that a lost node is noticed in seconds; see the controller-manager's
# grace period in up.sh.
kubelet_config() {
  cat <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $address
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $pki/$name.crt
tlsPrivateKeyFile: $pki/$name.key
cgroupDriver: cgroupfs
cgroupRoot: /$(node_cgroup "$index")
failCgroupV1: false
failSwapOn: false
clusterDNS: [$dns_ip]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix://$folder/containerd.sock
resolvConf: $folder/etc/resolv.conf
volumePluginDir: $folder/kubelet/plugins-of-volumes
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 4s
syncFrequency: 10s
crashLoopBackOff: {maxContainerRestartPeriod: 20s}
EOF
}

proxy_config() {
  cat <<EOF
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $pki/kube-proxy.kubeconfig}
clusterCIDR: $pod_network.0.0/16
hostnameOverride: $name
bindAddress: $address
healthzBindAddress: $address:10256
metricsBindAddress: 127.0.0.1:10249
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
EOF
}
