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
  # It keeps what it found in the folder that it runs in.
  (cd "$logs" && python -c 'import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())' \
    --config-file "$clients/schemathesis.toml" run "$RAGLINE_URL/openapi.json" --max-examples "${RAGLINE_EXAMPLES:-25}" "$@")
}

# call METHOD PATH [CURL'S ARGUMENTS]: prints the answer.
call() {
  curl --silent --show-error --fail-with-body --max-time 60 --request "$1" --header @- "${@:3}" "$RAGLINE_URL$2" \
    <<<"Authorization: Bearer $RAGLINE_API_KEY"
}

field() { python3 -c 'import functools, json, sys; print(functools.reduce(lambda v, k: v[int(k) if k.isdigit() else k], sys.argv[1:], json.load(sys.stdin)))' "$@"; }

# Something that each path's ids may name, so that requests get past the look-up. What is deleted is looked for in vain.
things() {
  local json=(--header 'Content-Type: application/json' --data)
  RAGLINE_DOCUMENT=$(call GET '/v1/documents?limit=1' | field data 0 id)
  RAGLINE_JOB=$(call POST /v1/documents --form "file=@$clients/schemathesis.toml;type=text/plain" | field job id)
  RAGLINE_FILE=$(call POST /v1/files --form purpose=assistants --form "file=@$clients/schemathesis.toml;filename=a.txt" | field id)
  RAGLINE_STORE=$(call POST /v1/vector_stores "${json[@]}" '{"name": "tried"}' | field id)
  RAGLINE_BATCH=$(call POST "/v1/vector_stores/$RAGLINE_STORE/file_batches" "${json[@]}" "{\"file_ids\": [\"$RAGLINE_FILE\"]}" | field id)
  RAGLINE_UPLOAD=$(call POST /v1/uploads "${json[@]}" '{"filename": "a.txt", "bytes": 4, "mime_type": "text/plain", "purpose": "assistants"}' | field id)
  export RAGLINE_DOCUMENT RAGLINE_JOB RAGLINE_FILE RAGLINE_STORE RAGLINE_BATCH RAGLINE_UPLOAD
}

packages "$clients/requirements-schemathesis.txt"
gateway_present
curl --silent --fail --max-time 10 --output "$logs/openapi.json" "$RAGLINE_URL/openapi.json" || fail "no description at $RAGLINE_URL"
things
check "the description and its examples" python "$clients/description.py" "$logs/openapi.json"
check "requests made from the description" tried "$@"
