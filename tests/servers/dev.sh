#!/bin/bash
# The gateway alone on real PostgreSQL and Valkey. Writes target/dev/env once it is ready; Ctrl-C stops everything.
#
#   RAGLINE_PORT=8080      the port on loopback
#   RAGLINE_CONFIG=FILE    a configuration file; default: the built-in models, index built by the gateway itself
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
# shellcheck source=tests/cluster/lib/steps.sh
. "$repository/tests/cluster/lib/steps.sh"
folder=$repository/target/dev
port=${RAGLINE_PORT:-8080}
gateway=''
rm -f "$folder/env"
mkdir -p "$folder"

stop_all() {
  trap - EXIT INT TERM
  rm -f "$folder/env"
  if [ -n "$gateway" ]; then
    kill "$gateway" 2>/dev/null || true
    wait "$gateway" 2>/dev/null || true
  fi
  "$here/servers.sh" stop "$folder/servers"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step "building the gateway"
(cd "$repository" && cargo build --release --locked -p ragline-gateway)
programs=${CARGO_TARGET_DIR:-$repository/target}/release
"$here/fetch_model.sh" "$folder/model"
"$here/servers.sh" start "$folder/servers"
set -a
# shellcheck disable=SC1091
. "$folder/servers/env"
set +a
[ -s "$folder/api-key" ] || (umask 077 && printf 'rgl_%s\n' "$(od -An -tx1 -N24 /dev/urandom | tr -d ' \n')" >"$folder/api-key")
export RAGLINE_API_KEY_FILE=$folder/api-key RAGLINE_MODEL_DIR=${RAGLINE_MODEL_DIR:-$folder/model} RAGLINE_LISTEN=127.0.0.1:$port
if [ -z "${RAGLINE_CONFIG:-}" ]; then
  export RAGLINE_CONFIG=$folder/ragline.yaml
  printf 'database:\n  tlsMode: disable\nindex:\n  buildInProcess: true\n' >"$RAGLINE_CONFIG"
fi
"$programs/ragline-gateway" migrate
# The gateway serves as the application role alone.
env -u DATABASE_BOOTSTRAP_URL "$programs/ragline-gateway" serve 2>"$folder/gateway.log" &
gateway=$!

ready() { curl --silent --fail --max-time 2 --output /dev/null "http://127.0.0.1:$port/readyz"; }
deadline=$((SECONDS + 60))
until ready; do
  kill -0 "$gateway" 2>/dev/null || fail "the gateway ended" "$folder/gateway.log"
  [ $SECONDS -lt $deadline ] || fail "the gateway is not ready after 60 s" "$folder/gateway.log"
  sleep 0.1
done
(umask 077 && printf 'export RAGLINE_URL=%q\nexport RAGLINE_API_KEY=%q\n' "http://127.0.0.1:$port" "$(cat "$folder/api-key")" >"$folder/env.new")
mv "$folder/env.new" "$folder/env"
cat <<END

Ragline answers at http://127.0.0.1:$port. In another terminal:

  . target/dev/env
  $programs/ragline-gateway ingest README.md
  $programs/ragline-gateway ask "What is a RagPipeline?"
  curl -H "Authorization: Bearer \$RAGLINE_API_KEY" -d '{"query": "vector index"}' \\
       -H 'content-type: application/json' \$RAGLINE_URL/v1/search

The log is target/dev/gateway.log. Ctrl-C stops everything; the data stay in target/dev.
END
wait "$gateway"
