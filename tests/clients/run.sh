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
name=clients
here=$(cd "$(dirname "$0")" && pwd)
documents=$here/documents
# shellcheck source=tests/clients/gateway.sh
. "$here/gateway.sh"
# shellcheck source=tests/clients/packages.sh
. "$here/packages.sh"

# check_python [ARGUMENTS...]: the file with the routes comes last, when all others have walked them.
check_python() {
  local status=0 report=$logs/python.xml
  step "the clients in Python"
  rm -f "$report"
  (cd "$here/python" && PYTHONPATH=$python_packages PYTHONDONTWRITEBYTECODE=1 LANGSMITH_TRACING=false timeout 600 python3 -m pytest \
    -p no:cacheprovider -o junit_family=xunit2 --junitxml "$report" --tb short --no-header -v "$@" \
    test_embeddings.py test_models.py test_errors.py test_files.py test_uploads.py test_vector_stores.py test_chat.py test_responses.py \
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
packages_present
gateway_present
case $which in
  python) check_python "$@" ;;
  node) check_node ;;
  all)
    check_python
    check_node
    ;;
esac
