# A gateway of its own for clients that are tried against it, what they need from PyPI, and the counting of checks. To be sourced, with
# `name` set, which names the folder in target/ that holds the logs, and `documents`, what the gateway takes in; default: README.md.
#
#   RAGLINE_URL, RAGLINE_API_KEY    a running gateway that may be filled with nonsense; default: one of its own, removed afterwards
#   RAGLINE_BINARIES=DIR            take ragline-gateway from DIR; default: cargo build --release
# shellcheck shell=bash
clients=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$clients/../.." && pwd)
# shellcheck source=tests/cluster/lib/steps.sh
. "$repository/tests/cluster/lib/steps.sh"
logs=$repository/target/${name:?set name before sourcing gateway.sh}
cache=${RAGLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ragline}
gateway='' servers='' passed=0 failed=0

finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  if [ -n "$gateway" ]; then
    kill "$gateway" 2>/dev/null || true
    wait "$gateway" 2>/dev/null || true
  fi
  [ -z "$servers" ] || "$repository/tests/servers/servers.sh" remove "$servers" >"$logs/remove.log" 2>&1 ||
    { echo "error: the servers were not stopped; see $logs/remove.log" >&2; failed=$((failed + 1)); }
  [ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" != 0 ] || exit 1
}

# packages REQUIREMENTS: sets `packages`, the folder of what the file pins; installed once per content of the file.
packages() {
  local version
  version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  packages=$cache/clients/$name-$version-$(sha256sum "$1" | cut -c 1-16)
  [ ! -d "$packages" ] || return 0
  step "installing $(basename "$1") into $packages (once)"
  rm -rf "$packages.part"
  timeout 600 python3 -m pip install --quiet --root-user-action ignore --disable-pip-version-check --no-deps --only-binary=:all: \
    --require-hashes --target "$packages.part" -r "$1" >"$logs/install.log" 2>&1 ||
    fail "$(basename "$1") could not be installed" "$logs/install.log"
  mv "$packages.part" "$packages"
}

python() { PYTHONPATH=$packages PYTHONDONTWRITEBYTECODE=1 timeout 1200 python3 "$@"; }

ready() { curl --silent --fail --max-time 2 --output /dev/null "$RAGLINE_URL/readyz"; }

# gateway_present: a running gateway with the documents, and RAGLINE_URL and RAGLINE_API_KEY for those who ask it.
gateway_present() {
  local port program
  if [ -n "${RAGLINE_URL:-}" ]; then
    export RAGLINE_URL RAGLINE_API_KEY
    return
  fi
  if [ -z "${RAGLINE_BINARIES:-}" ]; then
    step "building the gateway"
    (cd "$repository" && cargo build --release --locked -p ragline-gateway)
    RAGLINE_BINARIES=${CARGO_TARGET_DIR:-$repository/target}/release
  fi
  program=$RAGLINE_BINARIES/ragline-gateway
  [ -x "$program" ] || fail "there is no program $program"
  if [ -z "${RAGLINE_MODEL_DIR:-}" ]; then
    "$repository/tests/servers/fetch_model.sh" "$logs/model"
    export RAGLINE_MODEL_DIR=$logs/model
  fi
  servers=$logs/servers
  "$repository/tests/servers/servers.sh" remove "$servers" >"$logs/remove.log" 2>&1
  "$repository/tests/servers/servers.sh" start "$servers"
  set -a
  # shellcheck disable=SC1091
  . "$servers/env"
  set +a
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  RAGLINE_API_KEY=rgl_$(od -An -tx1 -N24 /dev/urandom | tr -d ' \n')
  export RAGLINE_API_KEY RAGLINE_URL=http://127.0.0.1:$port RAGLINE_LISTEN=127.0.0.1:$port RAGLINE_CONFIG=$logs/ragline.yaml
  printf 'database:\n  tlsMode: disable\nindex:\n  buildInProcess: true\n' >"$RAGLINE_CONFIG"
  "$program" migrate >"$logs/migrate.log" 2>&1 || fail "the schema was not made" "$logs/migrate.log"
  env -u DATABASE_BOOTSTRAP_URL "$program" serve >"$logs/gateway.log" 2>&1 &
  gateway=$!
  wait_for 60 "the gateway" "$logs/gateway.log" ready
  "$program" ingest --quiet "${documents:-$repository/README.md}" >"$logs/ingest.log" 2>&1 || fail "a document was not taken in" "$logs/ingest.log"
}

# check NAME COMMAND...
check() {
  local what=$1
  shift
  step "$what"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

mkdir -p "$logs"
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
