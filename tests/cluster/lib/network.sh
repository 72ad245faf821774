# One network namespace per node, joined by a bridge in the machine's own namespace. To be sourced; needs settings.sh
# and steps.sh. From the machine the nodes, the pods and the Services of the cluster can be reached by their addresses.
# shellcheck shell=bash

network() {
  local number_of_node
  if ! ip link show "$bridge" >/dev/null 2>&1; then
    if [ -n "$(ip -4 route show root "$nodes_network.0/24")$(ip -4 route show root "$pod_network.0.0/16")" ]; then
      fail "this machine already has a route into $nodes_network.0/24 or $pod_network.0.0/16; choose another RAGLINE_CLUSTER_NAME"
    fi
    ip link add "$bridge" type bridge
    ip addr add "$host_ip/24" dev "$bridge"
    ip link set "$bridge" up
  fi
  for ((number_of_node = 1; number_of_node <= node_count; number_of_node++)); do
    network_node "$number_of_node"
  done
  ip route replace "$service_network.0.0/16" via "$api_ip"
}

# network_node NUMBER: the namespace, its cable to the bridge, and the ways to the pods of the other nodes.
network_node() {
  local namespace other link=rl${number}n$1
  namespace=$(node_namespace "$1")
  if [ ! -e "/run/netns/$namespace" ]; then
    ip netns add "$namespace"
    ip link add "$link" type veth peer name eth0 netns "$namespace"
    ip link set "$link" master "$bridge" up
    nsenter --net="/run/netns/$namespace" sh -ec "
      ip link set lo up
      ip addr add $(node_ip "$1")/24 dev eth0
      ip link set eth0 up
      ip route add default via $host_ip
      echo 1 >/proc/sys/net/ipv4/ip_forward
      for file in /proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables; do
        [ ! -e \$file ] || echo 1 >\$file
      done"
  fi
  for ((other = 1; other <= node_count; other++)); do
    [ "$other" = "$1" ] || nsenter --net="/run/netns/$namespace" ip route replace "$(node_pods "$other")" via "$(node_ip "$other")"
  done
  ip route replace "$(node_pods "$1")" via "$(node_ip "$1")"
}

network_remove() {
  local namespace
  for namespace in "/run/netns/$cluster-node"[1-9]; do
    [ -e "$namespace" ] || continue
    ip netns del "$(basename "$namespace")" || true
  done
  # The cables go with the namespaces, the routes with the bridge.
  ip link del "$bridge" 2>/dev/null || true
}
