# Names, addresses and folders of one local cluster. To be sourced; it starts nothing and writes nothing.
# shellcheck shell=bash

# Where Debian keeps runc, nft and others; not every root shell has it.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

cluster_scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
repository=$(cd "$cluster_scripts/../.." && pwd)

cluster=${RAGLINE_CLUSTER_NAME:-ragline}
node_count=${NODES:-2}
cache=${RAGLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ragline}
states=${RAGLINE_CLUSTER_STATE:-/var/lib/ragline-cluster}
state=$states/$cluster
pki=$state/pki
programs=$cache/programs
archives=$cache/images

case $cluster in
  *[!a-z0-9-]* | '' | -*)
    echo "RAGLINE_CLUSTER_NAME is '$cluster': use lower-case letters, digits and hyphens only" >&2
    exit 2 ;;
esac
case $node_count in
  [1-4]) ;;
  *) echo "NODES is '$node_count': a local cluster has 1 to 4 nodes (apiserver.sh starts one without nodes)" >&2; exit 2 ;;
esac

# What the scripts hand over: the kubeconfig, kubectl and helm. A second cluster does not overwrite those of the first.
if [ "$cluster" = ragline ]; then output=$repository/target/cluster; else output=$repository/target/cluster-$cluster; fi

# Every cluster has a number of its own, and from it addresses of its own: two clusters can run side by side.
case $cluster in
  ragline) number=0 ;;
  ragline-test) number=1 ;;
  *) number=$((2 + $(printf %s "$cluster" | cksum | cut -d ' ' -f 1) % 22)) ;;
esac
nodes_network=10.250.$number
host_ip=$nodes_network.1
api_ip=$nodes_network.2
pod_network=10.$((160 + number))
service_network=10.$((192 + number))
service_ip=$service_network.0.1
dns_ip=$service_network.0.10
bridge=rl${number}br
node_ip() { echo "$nodes_network.$((1 + $1))"; }
node_pods() { echo "$pod_network.$1.0/24"; }
node_namespace() { echo "$cluster-node$1"; }
node_cgroup() { echo "$cluster-node$1"; }

# The system images. The tag is raised by hand when their content changes in a way that the program versions do not show.
pause_image=localhost/ragline-cluster-pause:1
coredns_image=localhost/ragline-cluster-coredns:1
provisioner_image=localhost/ragline-cluster-provisioner:1
busybox_image=localhost/ragline-cluster-busybox:1
