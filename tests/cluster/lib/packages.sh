# Debian packages that the cluster and the image build need. To be sourced; needs steps.sh.
# shellcheck shell=bash

# packages PACKAGE=PROGRAM...: installs the packages whose program is not here, from whatever source it may be. Nothing
# is removed for it, and no service is started or left enabled by it.
packages() {
  local missing=() name log=$cache/log/packages.log policy=/usr/sbin/policy-rc.d status=0
  for name in "$@"; do
    command -v "${name#*=}" >/dev/null || missing+=("${name%%=*}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || fail "the Debian packages ${missing[*]} are missing, and only root can install them"
  command -v apt-get >/dev/null || fail "install ${missing[*]} by your system's package manager: apt-get is not here"
  step "installing Debian packages: ${missing[*]}"
  mkdir -p "$cache/log"
  local apt=(apt-get -q --no-remove -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  local made_policy=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made_policy=yes
  fi
  DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1 ||
    { "${apt[@]}" update >>"$log" 2>&1 &&
      DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; } ||
    status=$?
  [ -z "$made_policy" ] || rm -f "$policy"
  [ $status = 0 ] || fail "apt-get could not install ${missing[*]}" "$log"
  for name in "${missing[@]}"; do
    case $name in
      etcd-server) systemctl disable --quiet etcd 2>/dev/null || true ;;
      redis-server) systemctl disable --quiet redis-server 2>/dev/null || true ;;
      containerd) systemctl disable --quiet containerd 2>/dev/null || true ;;
    esac
  done
}
