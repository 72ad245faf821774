#!/bin/bash
# The official OpenAI packages for Python and for Node.js, and LangChain's classes, unmodified against a real gateway with the
# built-in models on real PostgreSQL and Valkey. Prints a line a check, and "N passed, N failed" as its last line; exit status 1
# when a check fails. Stops all that it started, also after a failure.
#
#   run.sh                       all checks
#   run.sh python -k embeddings  only Python's, with arguments for pytest
#   run.sh node                  only Node.js's
#
#   RAGLINE_BINARIES=DIR    take ragline-gateway from DIR; default: cargo build --release
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
# shellcheck source=tests/cluster/lib/steps.sh
. "$repository/tests/cluster/lib/steps.sh"
# shellcheck source=tests/clients/packages.sh
. "$here/packages.sh"
logs=$repository/target/clients
cache=${RAGLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ragline}
gateway='' passed=0 failed=0

finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  if [ -n "$gateway" ]; then
    kill "$gateway" 2>/dev/null || true
    wait "$gateway" 2>/dev/null || true
  fi
  "$repository/tests/servers/servers.sh" remove "$logs/servers" >"$logs/remove.log" 2>&1 ||
    { echo "error: the servers were not stopped; see $logs/remove.log" >&2; status=1; }
  [ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" != 0 ] || status=1
  exit "$status"
}

program() {
  if [ -z "${RAGLINE_BINARIES:-}" ]; then
    step "building the gateway"
    (cd "$repository" && cargo build --release --locked -p ragline-gateway)
    RAGLINE_BINARIES=${CARGO_TARGET_DIR:-$repository/target}/release
  fi
  ragline=$RAGLINE_BINARIES/ragline-gateway
  [ -x "$ragline" ] || fail "there is no program $ragline"
}

ready() { curl --silent --fail --max-time 2 --output /dev/null "$RAGLINE_URL/readyz"; }

# serve: sets `gateway`, and RAGLINE_URL and RAGLINE_API_KEY for the clients.
serve() {
  local port deadline=$((SECONDS + 60))
  if [ -z "${RAGLINE_MODEL_DIR:-}" ]; then
    "$repository/tests/servers/fetch_model.sh" "$logs/model"
    export RAGLINE_MODEL_DIR=$logs/model
  fi
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
  "$ragline" migrate >"$logs/migrate.log" 2>&1 || fail "the schema was not made" "$logs/migrate.log"
  env -u DATABASE_BOOTSTRAP_URL "$ragline" serve >"$logs/gateway.log" 2>&1 &
  gateway=$!
  until ready; do
    kill -0 "$gateway" 2>/dev/null || fail "the gateway ended" "$logs/gateway.log"
    [ $SECONDS -lt $deadline ] || fail "the gateway is not ready after 60 s" "$logs/gateway.log"
    sleep 0.1
  done
  "$ragline" ingest --quiet "$here/documents" >"$logs/ingest.log" 2>&1 || fail "the documents were not taken in" "$logs/ingest.log"
}

# check_python [ARGUMENTS...]: the file with the routes comes last, when all others have walked them.
check_python() {
  local status=0 report=$logs/python.xml
  step "the clients in Python"
  rm -f "$report"
  (cd "$here/python" && PYTHONPATH=$python_packages PYTHONDONTWRITEBYTECODE=1 LANGSMITH_TRACING=false timeout 600 python3 -m pytest \
    -p no:cacheprovider -o junit_family=xunit2 --junitxml "$report" --tb short --no-header -v "$@" \
    test_embeddings.py test_models.py test_errors.py test_files.py test_vector_stores.py test_chat.py test_responses.py \
    test_langchain.py test_routes.py) || status=$?
  count "$status" < <(python3 -c '
import sys, xml.etree.ElementTree as tree
try:
    suite = tree.parse(sys.argv[1]).getroot().find("testsuite").attrib
except OSError:
    suite = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
failed = int(suite["failures"]) + int(suite["errors"]) + int(suite["skipped"])
print(max(int(suite["tests"]) - failed, 0), failed)' "$report")
}

check_node() {
  local status=0 report=$logs/node.tap
  step "the clients in Node.js"
  rm -rf "$report" "$logs/node"
  # Modules are looked for beside the file that wants them.
  cp -r "$here/node" "$logs/node"
  ln -s "$node_packages" "$logs/node/node_modules"
  (cd "$logs/node" && RAGLINE_DOCUMENTS=$here/documents LANGSMITH_TRACING=false timeout 600 "$node" --test --test-concurrency 1 \
    --test-reporter spec --test-reporter-destination stdout --test-reporter tap --test-reporter-destination "$report" \
    all.test.mjs) || status=$?
  count "$status" < <(awk '/^# pass / { p = $3 } /^# (fail|cancelled|skipped|todo) / { f += $3 } END { print p + 0, f + 0 }' "$report")
}

# count STATUS: adds what a runner counted; a runner that broke off counts as a failure.
count() {
  local good bad
  read -r good bad
  [ "$1" = 0 ] || [ "$bad" != 0 ] || bad=1
  passed=$((passed + good)) failed=$((failed + bad))
}

which=${1:-all}
case $which in
  all | node) [ $# -le 1 ] || fail "usage: run.sh [python [ARGUMENTS]|node]" ;;
  python) shift ;;
  *) fail "usage: run.sh [python [ARGUMENTS]|node]" ;;
esac
mkdir -p "$logs"
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
packages_present
program
serve
case $which in
  python) check_python "$@" ;;
  node) check_node ;;
  all)
    check_python
    check_node
    ;;
esac
