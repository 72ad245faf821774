# Starting and stopping one node. To be sourced; needs settings.sh, steps.sh, pki.sh and `bin`.
# shellcheck shell=bash

node_daemons=(containerd netpol kubelet kube-proxy)

# node_start NUMBER: nothing happens when all its daemons run; when some do not, the node starts from the beginning.
node_start() {
  local folder=$state/node$1 name running=0
  for name in "${node_daemons[@]}"; do
    if daemon_runs "$folder/$name.pid"; then
      running=$((running + 1))
    elif [ -e "$folder/$name.pid" ]; then
      step "$name of node$1 has ended: see $folder/log/$name.log; the node starts from the beginning"
    fi
  done
  [ $running -lt ${#node_daemons[@]} ] || return 0
  [ ! -d "$folder" ] || node_stop "$1"
  mkdir -p "$folder"/{log,etc/cni,cni,kubelet,pods,volumes,containerd}
  chmod 755 "$folder"
  pki_node "$1"
  cgroup_make "$(node_cgroup "$1")"
  # A mount namespace of its own: the kubelet's and the runtime's folders of two nodes must not be the same.
  nsenter --net="/run/netns/$(node_namespace "$1")" unshare --mount --propagation private \
    bash "$cluster_scripts/lib/node_inside.sh" "$1" "$bin" || exit 1
}

# node_stop NUMBER: by process id, and the containers by their cgroup, so that nothing of another cluster is touched.
node_stop() {
  local folder=$state/node$1 shim pid
  daemon_stop "$folder/kubelet.pid"
  daemon_stop "$folder/kube-proxy.pid"
  cgroup_kill "$(node_cgroup "$1")"
  for shim in /proc/[0-9]*/cmdline; do
    if { tr '\0' ' ' <"$shim" | grep -q "containerd-shim-runc-v2 .*-address $folder/containerd.sock"; } 2>/dev/null; then
      pid=${shim#/proc/}
      kill "${pid%/cmdline}" 2>/dev/null || true
    fi
  done
  daemon_stop "$folder/containerd.pid" 10
  daemon_stop "$folder/netpol.pid"
  cgroup_kill "$(node_cgroup "$1")"
  cgroup_remove "$(node_cgroup "$1")"
}

# cgroup_roots: the top folder of every hierarchy (version 1), or the only one (version 2).
cgroup_roots() {
  if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
    echo /sys/fs/cgroup
  else
    find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d
  fi
}

# The kubelet wants the cgroup it works in to exist.
cgroup_make() {
  local root file
  for root in $(cgroup_roots); do
    if [ "$(stat -fc %T "$root")" = cgroup2fs ] && [ "$root" = /sys/fs/cgroup ]; then
      echo "+cpu +cpuset +io +memory +pids" >"$root/cgroup.subtree_control" 2>/dev/null || true
      mkdir -p "$root/$1"
      echo "+cpu +cpuset +io +memory +pids" >"$root/$1/cgroup.subtree_control" 2>/dev/null || true
      continue
    fi
    mkdir -p "$root/$1"
    for file in cpuset.cpus cpuset.mems; do
      # A new cpuset of version 1 is empty, and nothing can be put into it.
      [ ! -e "$root/$file" ] || cat "$root/$file" >"$root/$1/$file"
    done
  done
}

cgroup_kill() {
  local root file pid deadline=$((SECONDS + 10)) found=yes
  while [ -n "$found" ] && [ "$SECONDS" -lt "$deadline" ]; do
    found=
    for root in $(cgroup_roots); do
      [ -d "$root/$1" ] || continue
      while read -r file; do
        while read -r pid; do
          [ "$pid" != 0 ] || continue
          found=yes
          kill -9 "$pid" 2>/dev/null || true
        done < <(cat "$file" 2>/dev/null)
      done < <(find "$root/$1" -name cgroup.procs 2>/dev/null)
    done
    [ -z "$found" ] || sleep 0.05
  done
}

cgroup_remove() {
  local root
  for root in $(cgroup_roots); do
    [ ! -d "$root/$1" ] || find "$root/$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}
