#!/bin/sh
# Ends PostgreSQL without waiting for its clients; what they had not committed is rolled back.
PATH="$PATH:/usr/lib/postgresql/17/bin"
exec pg_ctl stop --pgdata="$PGDATA" --mode=fast --wait --timeout=100 --silent
