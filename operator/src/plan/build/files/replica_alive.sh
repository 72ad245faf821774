#!/bin/sh
# Ends with 0 unless a new start would help: the server does not answer, or the primary no longer keeps what the copy needs to follow. A
# primary that is away is waited for.
# shellcheck source=operator/src/plan/build/files/replica.sh
. /etc/ragline/postgres/replica.sh

socket=/var/run/postgresql
pg_isready --quiet --host="$socket" --timeout=2 || exit 1
follows=$(psql --no-psqlrc --tuples-only --no-align --quiet --host="$socket" --username=postgres --dbname=postgres \
  --command="SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'" 2> /dev/null)
[ "$follows" != 1 ] || exit 0
state=$(slot_state 2> /dev/null) || exit 0
[ "$state" = kept ]
