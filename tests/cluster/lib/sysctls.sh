# The kernel settings that a kubelet changes for the whole machine. To be sourced; needs settings.sh.
# shellcheck shell=bash

sysctl_names=(vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes)

# sysctls_save: before the first cluster of this machine starts; later ones would save what the first one changed.
sysctls_save() {
  local name
  [ ! -s "$states/sysctls" ] || return 0
  for name in "${sysctl_names[@]}"; do
    [ ! -e "/proc/sys/$name" ] || echo "$name $(cat "/proc/sys/$name")"
  done >"$states/sysctls"
}

# sysctls_restore: once no cluster is left.
sysctls_restore() {
  local name value
  [ -s "$states/sysctls" ] || return 0
  [ -z "$(find "$states" -mindepth 2 -maxdepth 2 -name nodes)" ] || return 0
  while read -r name value; do
    [ "$(cat "/proc/sys/$name")" = "$value" ] || echo "$value" >"/proc/sys/$name"
  done <"$states/sysctls"
  rm -f "$states/sysctls"
}
