#!/bin/bash
# Measures the gateway on real PostgreSQL and Valkey beside the raw parts, in one run: see README.md. Prints a table and writes
# target/bench/results.json. Everything that is started here is stopped by its process id.
#
#   bench.sh        everything but a million rows
#   bench.sh 1m     a million rows alone; writes target/bench-1m/results.json
#   bench.sh soak   ten minutes of everything at once; fails when memory grows; writes target/bench-soak/results.json
#
# README.md lists the environment variables that make it smaller.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
# shellcheck source=tests/cluster/lib/steps.sh
. "$repository/tests/cluster/lib/steps.sh"
# shellcheck source=tests/bench/processes.sh
. "$here/processes.sh"
what=${1:-}
folder=$repository/target/bench${what:+-$what}
profile=${RAGLINE_BENCH_PROFILE:-release}
compiled=${CARGO_TARGET_DIR:-$repository/target}/${profile/#dev/debug}
export RAGLINE_BENCH_SECONDS=${RAGLINE_BENCH_SECONDS:-4} RAGLINE_BENCH_PAGES=${RAGLINE_BENCH_PAGES:-40}
export RAGLINE_BENCH_ROWS=${RAGLINE_BENCH_ROWS:-900 20000 100000} RAGLINE_BENCH_DIMENSIONS=${RAGLINE_BENCH_DIMENSIONS:-384 1536}
export RAGLINE_BENCH_REPLAY=${RAGLINE_BENCH_REPLAY:-10000} RAGLINE_BENCH_MILLION=${RAGLINE_BENCH_MILLION:-1000000}
export RAGLINE_SOAK_SECONDS=${RAGLINE_SOAK_SECONDS:-600}
export RAGLINE_BENCH_SENTENCES=${RAGLINE_BENCH_SENTENCES:-2000}
case $what in
  '' | 1m | soak) ;;
  *) fail "usage: bench.sh [1m | soak]" ;;
esac
# PostgreSQL's memory in MiB, as the operator gives it for 100,000 vectors and for a million.
memory=4096
[ "$what" != 1m ] || memory=16384
export RAGLINE_SHARED_BUFFERS=$((memory / 4))MB
rm -rf "$folder/work" "$folder/results.json"
mkdir -p "$folder/work"

stop_all() {
  trap - EXIT INT TERM
  gateways_stop
  "$repository/tests/servers/servers.sh" remove "$folder/servers"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step "building the gateway and the load generator ($profile)"
(cd "$repository" && cargo build --profile "$profile" --locked -p ragline-gateway -p ragline-tests --bin ragline-gateway --bin ragline-bench) \
  >"$folder/work/build.log" 2>&1 || fail "the build failed" "$folder/work/build.log"
export RAGLINE_MODEL_DIR=${RAGLINE_MODEL_DIR:-$repository/target/bench/model}
"$repository/tests/servers/fetch_model.sh" "$RAGLINE_MODEL_DIR"
"$repository/tests/servers/servers.sh" remove "$folder/servers" >/dev/null
"$repository/tests/servers/servers.sh" start "$folder/servers"
set -a
# shellcheck disable=SC1091
. "$folder/servers/env"
set +a
postgres_programs
postgres_settings "$memory"

export RAGLINE_BENCH_FOLDER=$folder RAGLINE_BENCH_IMAGES=$repository/target/images RAGLINE_BENCH_PGBENCH=$pg/bin/pgbench
export RAGLINE_BENCH_TEXTS=$repository/gateway/tests/it/data
export RAGLINE_API_KEY=bench LOG_LEVEL=warn RAGLINE_CONFIG=$folder/work/ragline.yaml
# What is measured asks more than any share allows.
rates='{requestsPerMinute: 0, tokensPerMinute: 0}'
printf 'database:\n  tlsMode: disable\nlimits:\n  rate: {perKey: %s, perWorkspace: %s}\n' "$rates" "$rates" >"$RAGLINE_CONFIG"
if [ "$what" = 1m ]; then
  step "storing $RAGLINE_BENCH_MILLION rows, building the index that the policy wants, and searching"
  large_builds
  "$compiled/ragline-bench" measure million
  "$compiled/ragline-bench" report
  exit 0
fi

"$compiled/ragline-gateway" migrate 2>"$folder/work/migrate.log" || fail "migrate failed" "$folder/work/migrate.log"

if [ "$what" = soak ]; then
  step "soaking a gateway for $RAGLINE_SOAK_SECONDS s"
  gateway_start cached
  export RAGLINE_BENCH_CACHED=${urls[cached]} RAGLINE_BENCH_GATEWAY_PID=${pids[cached]}
  "$compiled/ragline-bench" soak
  "$compiled/ragline-bench" report
  exit 0
fi

step "starting the gateways: with a cache, without one, without the built-in model, and with a language model"
gateway_start cached
ENABLE_VECTOR_CACHE=false gateway_start uncached
remote_gateway_start
streams_gateway_start
export RAGLINE_BENCH_CACHED=${urls[cached]} RAGLINE_BENCH_UNCACHED=${urls[uncached]}
export RAGLINE_BENCH_STREAMS=${urls[streams]} RAGLINE_BENCH_STREAMS_PID=${pids[streams]}
export RAGLINE_BENCH_GATEWAY_PID=${pids[cached]} RAGLINE_BENCH_REMOTE_PID=${pids[remote]}
step "measuring ingestion and the API"
"$compiled/ragline-bench" measure api
step "measuring the database alone: $RAGLINE_BENCH_ROWS rows of $RAGLINE_BENCH_DIMENSIONS dimensions"
"$compiled/ragline-bench" measure rows
"$compiled/ragline-bench" report
