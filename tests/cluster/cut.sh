#!/bin/bash
# Cuts a node of the running local cluster off, as when its network or the whole machine fails: from then on nothing reaches it and
# nothing leaves it, and nobody is told. What runs on it goes on.
#
#   cut.sh off NODE              cut.sh off 2
#   cut.sh on NODE               puts it back; does nothing when it is there
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/settings.sh
. "$here/lib/settings.sh"
# shellcheck source=lib/steps.sh
. "$here/lib/steps.sh"

usage='use cut.sh off NODE or cut.sh on NODE, with the number of the node'
what=${1:-} node=${2:-}
case $what in off | on) ;; *) fail "$usage" ;; esac
case $node in [1-9]) ;; *) fail "$usage" ;; esac
[ "$(id -u)" = 0 ] || fail "only root can cut a node off"
namespace=/run/netns/$(node_namespace "$node")
[ -e "$namespace" ] || fail "the cluster $cluster has no node$node"

nft_of_node() { nsenter --net="$namespace" nft "$@"; }

! nft_of_node list table inet ragline-cut >/dev/null 2>&1 || nft_of_node delete table inet ragline-cut
[ "$what" = off ] || exit 0
# ARP goes on, so that packets vanish instead of being refused by the sender's own node.
nft_of_node -f - <<'RULES'
table inet ragline-cut {
  chain in { type filter hook prerouting priority -500; iifname "eth0" drop; }
  chain out { type filter hook postrouting priority 500; oifname "eth0" drop; }
}
RULES
