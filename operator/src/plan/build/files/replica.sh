# What the scripts of a read replica share; to be sourced. $PRIMARY is the primary's host, $PORT its port and $POD this
# pod's name; the password is that of the role that may copy the log.
# shellcheck shell=sh
PATH="$PATH:/usr/lib/postgresql/17/bin"
# A container's first process is ended by no signal that it does not handle, and would keep its pod for all of its two minutes.
trap 'exit 143' INT TERM

# The pod's number is the slot's: replica_0 for the pod that ends with -0.
slot=replica_${POD##*-}
conninfo="host=$PRIMARY port=$PORT user=ragline_replication connect_timeout=3 application_name=$slot"
authority=/etc/ragline/secrets/certificate/ca.crt
[ ! -e "$authority" ] || conninfo="$conninfo sslmode=verify-full sslrootcert=$authority"

fail() {
  echo "The read replica is not started: $*" >&2
  exit 1
}

# The password for libpq, which takes it from a file that nobody else may read.
PGPASSFILE=/tmp/replication.pgpass
export PGPASSFILE
(
  umask 077
  printf '*:*:*:ragline_replication:%s\n' "$(cat /etc/ragline/secrets/replication/password)" > "$PGPASSFILE.$$"
  mv "$PGPASSFILE.$$" "$PGPASSFILE"
)

# Runs SQL on the primary.
on_primary() {
  psql --no-psqlrc --no-password --tuples-only --no-align --quiet --dbname="$conninfo dbname=postgres" --command="$1"
}

# Whether the primary keeps what this replica needs to follow: `kept`, `lost` or `none`. Fails while the primary does not answer.
slot_state() {
  on_primary "SELECT coalesce((SELECT CASE WHEN wal_status = 'lost' THEN 'lost' ELSE 'kept' END
    FROM pg_replication_slots WHERE slot_name = '$slot'), 'none')"
}
