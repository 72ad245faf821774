#!/bin/bash
# Puts images onto every node of the running local cluster, or of a kind cluster. What a node has already is left.
#
#   load.sh [ARCHIVE...]               default: what images.sh built, target/images/*.tar
#   load.sh --kind NAME [ARCHIVE...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/settings.sh
. "$here/lib/settings.sh"
for part in steps programs; do
  . "$here/lib/$part.sh"
done

kind=
if [ "${1:-}" = --kind ]; then
  kind=${2:?the name of the kind cluster}
  shift 2
fi
wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=("$repository"/target/images/*.tar)
[ -e "${wanted[0]}" ] || fail "there is no archive ${wanted[0]}: run images.sh first"

# import FOLDER ARCHIVE: into the containerd of one node, which runs in a mount namespace of its own.
import() {
  local pid mark log=$1/log/images.log
  mark=$1/loaded/$(basename "$2")
  [ ! -e "$mark" ] || return 0
  read -r pid _ <"$1/containerd.pid"
  nsenter --target "$pid" --mount --net ctr --address "$1/containerd.sock" --namespace k8s.io images import "$2" \
    >>"$log" 2>&1 || fail "importing $2 into $(basename "$1") failed" "$log"
  mkdir -p "$1/loaded"
  rm -f "$1/loaded/$(basename "$2" | sed 's/-[0-9a-f]*\.tar$//')"-*
  : >"$mark"
}

for archive in "${wanted[@]}"; do
  archive=$(readlink -f "$archive")
  if [ -n "$kind" ]; then
    kind load image-archive "$archive" --name "$kind"
    step "$(basename "$archive") is on the nodes of kind's cluster $kind"
    continue
  fi
  jobs=()
  for folder in "$state"/node[1-9]; do
    daemon_runs "$folder/containerd.pid" || fail "the cluster $cluster does not run: no containerd in $folder"
    import "$folder" "$archive" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || exit 1; done
  step "$(basename "$archive") is on the nodes of $cluster"
done
