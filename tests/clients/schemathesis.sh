#!/bin/bash
# Every route by its description: requests made from /openapi.json, examples first, then values that nobody meant. No answer may be a
# 500 or one that the description does not have: status, content type, headers and body are compared. The description itself and its
# examples are checked before. The last line is "N passed, N failed"; stops all that it started, also after a failure.
#
#   schemathesis.sh [ARGUMENTS...]       with arguments for `schemathesis run`, as in --include-path /v1/rerank
#
#   RAGLINE_URL, RAGLINE_API_KEY    a running gateway that may be filled with nonsense; default: one of its own, removed afterwards
#   RAGLINE_BINARIES=DIR            take ragline-gateway from DIR; default: cargo build --release
#   RAGLINE_EXAMPLES=25             values tried of each operation
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
# shellcheck source=tests/cluster/lib/steps.sh
. "$repository/tests/cluster/lib/steps.sh"
logs=$repository/target/schemathesis
cache=${RAGLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ragline}
gateway='' started='' passed=0 failed=0

finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  if [ -n "$gateway" ]; then
    kill "$gateway" 2>/dev/null || true
    wait "$gateway" 2>/dev/null || true
  fi
  [ -z "$started" ] || "$repository/tests/servers/servers.sh" remove "$logs/servers" >"$logs/remove.log" 2>&1 ||
    { echo "error: the servers were not stopped; see $logs/remove.log" >&2; failed=$((failed + 1)); }
  [ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" != 0 ] || exit 1
}

# packages: sets `packages`, the folder of what requirements-schemathesis.txt pins.
packages() {
  local version
  version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  packages=$cache/clients/schemathesis-$version-$(sha256sum "$here/requirements-schemathesis.txt" | cut -c 1-16)
  [ ! -d "$packages" ] || return 0
  step "installing schemathesis into $packages (once)"
  rm -rf "$packages.part"
  timeout 600 python3 -m pip install --quiet --root-user-action ignore --disable-pip-version-check --no-deps --only-binary=:all: \
    --require-hashes --target "$packages.part" -r "$here/requirements-schemathesis.txt" >"$logs/install.log" 2>&1 ||
    fail "schemathesis could not be installed" "$logs/install.log"
  mv "$packages.part" "$packages"
}

ready() { curl --silent --fail --max-time 2 --output /dev/null "$RAGLINE_URL/readyz"; }

serve() {
  local port program
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
  started=yes
  "$repository/tests/servers/servers.sh" remove "$logs/servers" >"$logs/remove.log" 2>&1
  "$repository/tests/servers/servers.sh" start "$logs/servers"
  set -a
  # shellcheck disable=SC1091
  . "$logs/servers/env"
  set +a
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  RAGLINE_API_KEY=rgl_$(od -An -tx1 -N24 /dev/urandom | tr -d ' \n')
  export RAGLINE_API_KEY RAGLINE_URL=http://127.0.0.1:$port RAGLINE_LISTEN=127.0.0.1:$port RAGLINE_CONFIG=$logs/ragline.yaml
  printf 'database:\n  tlsMode: disable\nindex:\n  buildInProcess: true\n' >"$RAGLINE_CONFIG"
  "$program" migrate >"$logs/migrate.log" 2>&1 || fail "the schema was not made" "$logs/migrate.log"
  env -u DATABASE_BOOTSTRAP_URL "$program" serve >"$logs/gateway.log" 2>&1 &
  gateway=$!
  wait_for 60 "the gateway" "$logs/gateway.log" ready
  "$program" ingest --quiet "$repository/README.md" >"$logs/ingest.log" 2>&1 || fail "a document was not taken in" "$logs/ingest.log"
}

# check NAME COMMAND...
check() {
  local name=$1
  shift
  step "$name"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

python() { PYTHONPATH=$packages PYTHONDONTWRITEBYTECODE=1 timeout 1200 python3 "$@"; }

# The key goes by the environment, since arguments can be read by every user of the machine.
tried() {
  python -c 'import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())' \
    --config-file "$here/schemathesis.toml" run "$RAGLINE_URL/openapi.json" --max-examples "${RAGLINE_EXAMPLES:-25}" "$@"
}

mkdir -p "$logs"
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
packages
[ -n "${RAGLINE_URL:-}" ] || serve
export RAGLINE_URL RAGLINE_API_KEY
curl --silent --fail --max-time 10 --output "$logs/openapi.json" "$RAGLINE_URL/openapi.json" || fail "no description at $RAGLINE_URL"
check "the description and its examples" python "$here/description.py" "$logs/openapi.json"
check "requests made from the description" tried "$@"
