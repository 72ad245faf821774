#!/bin/bash
# Real PostgreSQL with pgvector and real Valkey on free loopback ports, from wheels, for tests and for `make dev`.
#
#   servers.sh start DIR     starts both, waits until they answer, writes DIR/env; does nothing when they run already
#   servers.sh replica DIR N [M]   starts read replica N of that PostgreSQL, or of its replica M, cloned when it is new, waits until
#                            it answers, and writes DIR/replica-N with its URL; does nothing when it runs already
#   servers.sh stop DIR      stops all; the data stay for the next start
#   servers.sh remove DIR    stops all and removes their data
#
# DIR/env holds DATABASE_BOOTSTRAP_URL (superuser), DATABASE_OWNER_URL, DATABASE_URL (application role), VALKEY_HOST,
# VALKEY_PORT and VALKEY_PASSWORD. The schema and the two roles are made by `ragline-gateway migrate`, not here.
# The data survive a crash of the servers, not a crash of the machine. RAGLINE_SHARED_BUFFERS (128MB) is PostgreSQL's shared_buffers.
set -euo pipefail

command=${1:-} folder=${2:-} number=${3:-} followed=${4:-}
case $command in
  start | stop | remove) ;;
  replica) [[ $number =~ ^[0-9]$ && $followed =~ ^[0-9]?$ ]] || command='' ;;
  *) command='' ;;
esac
if [ -z "$command" ] || [ -z "$folder" ]; then
  sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cluster/lib/steps.sh
. "$here/../cluster/lib/steps.sh"
# shellcheck source=tests/servers/programs.sh
. "$here/programs.sh"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

state=$folder/servers
choose_cache
if [ "$(id -u)" = 0 ]; then
  state=/var/tmp/ragline-root/servers/$(printf %s "$folder" | sha256sum | cut -c 1-16)
fi

# url ROLE PASSWORD_FILE
url() {
  echo "postgres://$1:$(cat "$state/secrets/$2")@127.0.0.1:$postgres_port/ragline"
}

write_env() {
  umask 077
  cat >"$folder/env.new" <<END
DATABASE_BOOTSTRAP_URL=$(url postgres bootstrap)
DATABASE_OWNER_URL=$(url ragline_owner owner)
DATABASE_URL=$(url ragline_app app)
VALKEY_HOST=127.0.0.1
VALKEY_PORT=$valkey_port
VALKEY_PASSWORD=$(cat "$state/secrets/valkey")
END
  mv "$folder/env.new" "$folder/env"
}

secrets() {
  local name
  mkdir -p -m 700 "$state/secrets"
  for name in bootstrap owner app valkey; do
    [ -s "$state/secrets/$name" ] || od -An -N 24 -tx1 /dev/urandom | tr -d ' \n' >"$state/secrets/$name"
  done
}

postgres_init() {
  local partial=$state/postgres.partial
  rm -rf "$partial"
  mkdir -p "$partial"
  cp "$state/secrets/bootstrap" "$partial.password"
  if [ "$(id -u)" = 0 ]; then chown 65534:65534 "$partial" "$partial.password"; fi
  (
    cd "$partial"
    "${as_server[@]}" timeout 120 "$pg/bin/initdb" -D "$partial/data" -U postgres -E UTF8 --no-sync --auth=scram-sha-256 \
      --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C --pwfile="$partial.password"
    echo 'CREATE DATABASE ragline' | "${as_server[@]}" timeout 60 "$pg/bin/postgres" --single -D "$partial/data" postgres
  ) >"$state/log/initdb.log" 2>&1 || fail "initdb failed" "$state/log/initdb.log"
  rm -f "$partial.password"
  mv "$partial" "$state/postgres"
}

postgres_start() {
  daemon "$state/postgres.pid" "$state/log/postgres.log" "${as_server[@]}" "$pg/bin/postgres" -D "$state/postgres/data" \
    -c listen_addresses=127.0.0.1 -c port="$postgres_port" -c unix_socket_directories='' -c max_connections=200 \
    -c "shared_buffers=${RAGLINE_SHARED_BUFFERS:-128MB}" -c fsync=off -c full_page_writes=off -c max_wal_size=2GB -c log_min_messages=warning \
    -c log_line_prefix='%m %u@%d '
}

# The password goes in by standard input, since arguments can be read by every user of the machine.
valkey_start() {
  mkdir -p "$state/valkey"
  daemon "$state/valkey.pid" "$state/log/valkey.log" bash -c 'exec "$@" - <<<"requirepass $(cat "$0")"' \
    "$state/secrets/valkey" "$valkey" --bind 127.0.0.1 --port "$valkey_port" --save '' --appendonly no \
    --dir "$state/valkey" --maxmemory 256mb --maxmemory-policy allkeys-lru
}

valkey_answers() {
  python3 - "$valkey_port" "$state/secrets/valkey" <<'END'
import socket, sys
password = open(sys.argv[2]).read()
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2) as s:
    s.sendall(f"AUTH {password}\r\nPING\r\n".encode())
    answer = b""
    while answer.count(b"\n") < 2:
        piece = s.recv(100)
        assert piece, "closed"
        answer += piece
assert answer == b"+OK\r\n+PONG\r\n", answer
END
}

# The ports of the last start, where they are still free, so that URLs stay valid over a restart.
choose_ports() {
  python3 - "$state/ports" <<'END'
import pathlib, socket, sys
path = pathlib.Path(sys.argv[1])
wanted = path.read_text().split() if path.exists() else ["0", "0"]
sockets = []
for port in wanted:
    try:
        sockets.append(socket.create_server(("127.0.0.1", int(port))))
    except OSError:
        sockets.append(socket.create_server(("127.0.0.1", 0)))
text = " ".join(str(s.getsockname()[1]) for s in sockets)
path.write_text(text + "\n")
END
}

start() {
  # One start or stop of the same folder at a time.
  mkdir -p "$state/log"
  exec 9>"$state/lock"
  flock -w 300 9 || fail "another start or stop of $folder takes longer than 300 s"
  if daemon_runs "$state/postgres.pid" && daemon_runs "$state/valkey.pid" && [ -s "$folder/env" ]; then
    step "PostgreSQL and Valkey run already: $folder/env"
    return
  fi
  stop_both
  programs
  secrets
  [ -d "$state/postgres" ] || { step "creating the database cluster"; postgres_init; }
  choose_ports
  read -r postgres_port valkey_port <"$state/ports"
  trap 'stop_both' EXIT
  postgres_start
  valkey_start
  WATCHED=$state/valkey.pid wait_for 30 "Valkey" "$state/log/valkey.log" valkey_answers
  WATCHED=$state/postgres.pid wait_for 120 "PostgreSQL" "$state/log/postgres.log" \
    "$pg/bin/pg_isready" -q -h 127.0.0.1 -p "$postgres_port" -t 2
  trap - EXIT
  write_env
  step "PostgreSQL answers on port $postgres_port, Valkey on port $valkey_port: $folder/env"
}

# The replica finds its primary by what `replica` says each time, so the primary may come back on another port.
replica_start() {
  local name=$state/replica-$number
  daemon "$name.pid" "$state/log/replica-$number.log" env "PGPASSFILE=$name.pass" "${as_server[@]}" "$pg/bin/postgres" \
    -D "$name/data" -c listen_addresses=127.0.0.1 -c port="$1" -c unix_socket_directories='' -c max_connections=200 \
    -c shared_buffers=64MB -c fsync=off -c full_page_writes=off -c log_min_messages=warning -c log_line_prefix='%m %u@%d ' \
    -c wal_retrieve_retry_interval=200ms -c primary_conninfo="host=127.0.0.1 port=$postgres_port user=postgres sslmode=disable"
}

replica_init() {
  local name=$state/replica-$number
  rm -rf "$name.partial"
  mkdir -p "$name.partial"
  if [ "$(id -u)" = 0 ]; then chown 65534:65534 "$name.partial"; fi
  (cd "$name.partial" && env "PGPASSFILE=$name.pass" "${as_server[@]}" timeout 120 "$pg/bin/pg_basebackup" --no-password --no-sync \
    --pgdata="$name.partial/data" --checkpoint=fast --wal-method=stream --host=127.0.0.1 --port="$postgres_port" --username=postgres) \
    >"$state/log/replica-$number.log" 2>&1 || fail "pg_basebackup failed" "$state/log/replica-$number.log"
  touch "$name.partial/data/standby.signal"
  mv "$name.partial" "$name"
}

replica() {
  local name=$state/replica-$number port
  exec 9>"$state/lock"
  flock -w 300 9 || fail "another start or stop of $folder takes longer than 300 s"
  ! daemon_runs "$name.pid" || return 0
  programs
  read -r postgres_port _ <"$state/ports"
  [ -z "$followed" ] || postgres_port=$(cat "$state/replica-$followed.port")
  (umask 077; echo "127.0.0.1:*:*:postgres:$(cat "$state/secrets/bootstrap")" >"$name.pass")
  if [ "$(id -u)" = 0 ]; then chown 65534:65534 "$name.pass"; fi
  [ -d "$name" ] || replica_init
  [ -s "$name.port" ] || python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])' >"$name.port"
  port=$(cat "$name.port")
  replica_start "$port"
  WATCHED=$name.pid wait_for 60 "replica $number" "$state/log/replica-$number.log" \
    "$pg/bin/pg_isready" -q -h 127.0.0.1 -p "$port" -t 2
  (umask 077; echo "DATABASE_URL=postgres://ragline_app:$(cat "$state/secrets/app")@127.0.0.1:$port/ragline" >"$folder/replica-$number")
}

stop_replicas() {
  local file
  for file in "$state"/replica-*.pid; do
    daemon_stop "$file"
  done
  rm -f "$folder"/replica-*
}

stop_both() {
  daemon_stop "$state/valkey.pid"
  # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
  if daemon_runs "$state/postgres.pid"; then
    kill -INT "$(cut -d ' ' -f 1 "$state/postgres.pid")" 2>/dev/null || true
    for _ in $(seq 200); do
      daemon_runs "$state/postgres.pid" || break
      sleep 0.05
    done
  fi
  daemon_stop "$state/postgres.pid"
  rm -f "$folder/env"
}

stop() {
  [ -d "$state" ] || { rm -f "$folder/env"; return; }
  exec 9>"$state/lock"
  flock -w 300 9 || fail "another start or stop of $folder takes longer than 300 s"
  stop_replicas
  stop_both
}

remove() {
  stop
  rm -rf "$state"
}

if [ "$(id -u)" = 0 ]; then
  own_root_folder
fi
"$command"
