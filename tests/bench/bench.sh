#!/bin/bash
# Measures the release gateway on real PostgreSQL and Valkey beside the raw parts, in one run: see README.md. Prints a table and
# writes target/bench/results.json. Everything that is started here is stopped by its process id.
#
#   RAGLINE_BENCH_SECONDS=4    how long each measurement of a rate lasts
#   RAGLINE_BENCH_PAGES=60     documents that are taken in, each of a few pages
#   RAGLINE_BENCH_ROWS=20000   rows of the larger search, beside what the documents bring
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
# shellcheck source=tests/cluster/lib/steps.sh
. "$repository/tests/cluster/lib/steps.sh"
# shellcheck source=tests/bench/processes.sh
. "$here/processes.sh"
folder=$repository/target/bench
compiled=${CARGO_TARGET_DIR:-$repository/target}/release
export RAGLINE_BENCH_SECONDS=${RAGLINE_BENCH_SECONDS:-4} RAGLINE_BENCH_PAGES=${RAGLINE_BENCH_PAGES:-60}
export RAGLINE_BENCH_ROWS=${RAGLINE_BENCH_ROWS:-20000}
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

step "building the release gateway and the load generator"
(cd "$repository" && cargo build --release --locked -p ragline-gateway -p ragline-tests --bin ragline-gateway --bin ragline-bench) \
  >"$folder/work/build.log" 2>&1 || fail "the build failed" "$folder/work/build.log"
export RAGLINE_MODEL_DIR=${RAGLINE_MODEL_DIR:-$folder/model}
"$repository/tests/servers/fetch_model.sh" "$RAGLINE_MODEL_DIR"
"$repository/tests/servers/servers.sh" remove "$folder/servers" >/dev/null
"$repository/tests/servers/servers.sh" start "$folder/servers"
set -a
# shellcheck disable=SC1091
. "$folder/servers/env"
set +a
postgres_programs

export RAGLINE_API_KEY=bench LOG_LEVEL=warn RAGLINE_CONFIG=$folder/work/ragline.yaml
printf 'database:\n  tlsMode: disable\n' >"$RAGLINE_CONFIG"
"$compiled/ragline-gateway" migrate 2>"$folder/work/migrate.log" || fail "migrate failed" "$folder/work/migrate.log"

step "starting the gateways: with a cache, without one, and without the built-in model"
gateway_start cached
ENABLE_VECTOR_CACHE=false gateway_start uncached
remote_gateway_start
export RAGLINE_BENCH_CACHED=${urls[cached]} RAGLINE_BENCH_UNCACHED=${urls[uncached]}
export RAGLINE_BENCH_GATEWAY_PID=${pids[cached]} RAGLINE_BENCH_REMOTE_PID=${pids[remote]} RAGLINE_BENCH_PGBENCH=$pg/bin/pgbench
export RAGLINE_BENCH_FOLDER=$folder RAGLINE_BENCH_IMAGES=$repository/target/images

"$compiled/ragline-bench" measure small
step "filling up with $RAGLINE_BENCH_ROWS rows and building the index that the policy wants"
fill "$RAGLINE_BENCH_ROWS"
"$compiled/ragline-gateway" index run >"$folder/work/index.log" 2>&1 || fail "the index could not be built" "$folder/work/index.log"
"$compiled/ragline-bench" measure large
"$compiled/ragline-bench" report
