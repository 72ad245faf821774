#!/bin/sh
# Makes the files of a read replica: a copy of the primary's where there are none yet, and where the primary no longer keeps what the
# old copy would need to follow it. Copies take no end of time, so the first one is made before the container that is probed.
set -eu
umask 077
# shellcheck source=operator/src/plan/build/files/replica.sh
. /etc/ragline/postgres/replica.sh

if [ -e "$PGDATA" ]; then
  if ! state=$(slot_state 2> /dev/null); then
    echo "the primary does not answer; the copy is used as it is"
    exit 0
  fi
  [ "$state" != kept ] || exit 0
  # A primary that lost its own volume is another database, and this copy may be the last one.
  theirs=$(on_primary 'SELECT system_identifier FROM pg_control_system()') || fail "the primary does not answer"
  ours=$(pg_controldata --pgdata="$PGDATA" | sed -n 's/^Database system identifier: *//p')
  [ "$theirs" = "$ours" ] || fail "$PRIMARY is not the database that $PGDATA is a copy of. The copy is left as it is; delete its claim" \
    "to have the primary cloned anew"
  echo "the primary keeps no more what the copy needs to follow ($state); it is made anew"
fi

until state=$(slot_state 2> /dev/null); do
  echo "waiting for the primary $PRIMARY"
  sleep 2
done
# The volume need not hold two copies.
rm -rf "$PGDATA" "$PGDATA.new"
[ "$state" = none ] || on_primary "SELECT pg_drop_replication_slot('$slot')" > /dev/null \
  || fail "the place that the primary keeps for $slot is in use"
# Made aside and moved at the end, so that a copy which was cut short is never started from. A shell hears of a signal while it waits,
# not while it runs something itself.
pg_basebackup --pgdata="$PGDATA.new" --dbname="$conninfo" --no-password --checkpoint=fast --wal-method=stream --create-slot \
  --slot="$slot" &
wait "$!" || fail "the primary cannot be copied"
touch "$PGDATA.new/standby.signal"
mv "$PGDATA.new" "$PGDATA"
echo "the primary is copied"
