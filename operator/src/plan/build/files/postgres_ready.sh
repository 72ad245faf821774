#!/bin/sh
# Ends with 0 once PostgreSQL takes connections.
PATH="$PATH:/usr/lib/postgresql/17/bin"
exec pg_isready --quiet --host=/var/run/postgresql --timeout=2
