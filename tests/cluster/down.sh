#!/bin/bash
# Stops the local cluster by process id and removes what it made: state, volumes, namespaces, cgroups, mounts. Kernel
# settings are put back. Also right after a failed or half-finished up.sh; does nothing when there is nothing.
#
#   down.sh                      RAGLINE_CLUSTER_NAME=ragline
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/settings.sh
. "$here/lib/settings.sh"
for part in steps network control_plane node sysctls; do
  . "$here/lib/$part.sh"
done
[ "$(id -u)" = 0 ] || fail "only root can stop a local cluster"

mkdir -p "$states"
exec 9>"$states/.lock"
flock -w 900 9 || fail "another run of up.sh or down.sh has been busy for 15 minutes"

for folder in "$state"/node[1-9]; do
  [ -d "$folder" ] || continue
  node_stop "${folder##*node}"
done
control_plane_stop
network_remove
if [ -d "$state" ]; then
  # The nodes' mounts ended with their last process; what is mounted here still would be somebody's data.
  if grep -q " $state/" /proc/self/mounts; then
    fail "something is still mounted below $state: $(grep -c " $state/" /proc/self/mounts) mounts; see /proc/mounts"
  fi
  # Most of the time goes into the unpacked images, so the nodes' folders go side by side.
  for folder in "$state"/node[1-9]; do
    rm -rf "$folder" &
  done
  wait
  rm -rf "$state"
fi
sysctls_restore
if [ -e "$output/kubeconfig" ] && grep -q "https://$api_ip:" "$output/kubeconfig"; then
  rm -f "$output/kubeconfig"
fi
step "the cluster $cluster is gone"
