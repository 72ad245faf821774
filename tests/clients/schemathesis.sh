#!/bin/bash
# Every route by its description: requests made from /openapi.json, examples first, then values that nobody meant. No answer may be a
# 500 or one that the description does not have: status, content type, headers and body are compared. The description itself and its
# examples are checked before. The last line is "N passed, N failed"; stops all that it started, also after a failure.
#
#   schemathesis.sh [ARGUMENTS...]       with arguments for `schemathesis run`, as in --include-path /v1/rerank
#
#   RAGLINE_EXAMPLES=25             values tried of each operation
#   and what gateway.sh names
set -euo pipefail
name=schemathesis
# shellcheck source=tests/clients/gateway.sh
. "$(dirname "$0")/gateway.sh"

# The key goes by the environment, since arguments can be read by every user of the machine.
tried() {
  python -c 'import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())' \
    --config-file "$clients/schemathesis.toml" run "$RAGLINE_URL/openapi.json" --max-examples "${RAGLINE_EXAMPLES:-25}" "$@"
}

packages "$clients/requirements-schemathesis.txt"
gateway_present
curl --silent --fail --max-time 10 --output "$logs/openapi.json" "$RAGLINE_URL/openapi.json" || fail "no description at $RAGLINE_URL"
check "the description and its examples" python "$clients/description.py" "$logs/openapi.json"
check "requests made from the description" tried "$@"
