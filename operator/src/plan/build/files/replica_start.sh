#!/bin/sh
# Starts a read replica. Its roles and passwords are the primary's.
set -eu
umask 077
config=/etc/ragline/postgres
# shellcheck source=operator/src/plan/build/files/replica.sh
. "$config/replica.sh"
# A start may find that the primary no longer keeps what the copy needs.
/bin/sh "$config/replica_clone.sh" &
wait "$!"

[ -s "$PGDATA/PG_VERSION" ] || fail "$PGDATA holds no database; it is left as it is"
version=$(cat "$PGDATA/PG_VERSION")
[ "$version" = 17 ] || fail "the data is of PostgreSQL $version and can be read by that version only"
chmod 0700 "$PGDATA"
[ -e "$PGDATA/standby.signal" ] || fail "$PGDATA is no copy that follows a primary"

# Whoever follows must have room for as much as the primary had, also where the settings have become smaller since.
set -- -c config_file="$config/postgresql.conf" -c hba_file="$config/pg_hba.conf"
control=$(pg_controldata --pgdata="$PGDATA")
for pair in max_connections:max_connections max_worker_processes:max_worker_processes max_wal_senders:max_wal_senders \
  max_prepared_transactions:max_prepared_xacts max_locks_per_transaction:max_locks_per_xact; do
  name=${pair%%:*}
  had=$(printf '%s\n' "$control" | sed -n "s/^${pair##*:} setting: *//p")
  has=$(postgres -D "$PGDATA" -c config_file="$config/postgresql.conf" -C "$name")
  [ "$has" -ge "$had" ] || set -- "$@" -c "$name=$had"
done

# Replay waits half a second at most for a search that is in its way; that search is made on the primary then. The primary need not keep
# old rows for searches here.
exec postgres -D "$PGDATA" "$@" -c primary_conninfo="$conninfo" -c primary_slot_name="$slot" -c hot_standby=on \
  -c hot_standby_feedback=off -c max_standby_streaming_delay=500ms -c max_standby_archive_delay=500ms \
  -c wal_receiver_timeout=10s -c wal_retrieve_retry_interval=500ms
