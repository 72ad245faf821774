#!/bin/sh
# Ends with 0 once PostgreSQL takes connections. Since it comes by so often, it also has the server read a renewed certificate, which takes
# neither a restart nor a process of its own; connections under way keep the old one.
PATH="$PATH:/usr/lib/postgresql/17/bin"
certificate=/etc/ragline/secrets/certificate/tls.crt
served=/tmp/served.crt
if [ -e "$certificate" ] && [ "$(cat "$certificate")" != "$(cat "$served" 2> /dev/null)" ]; then
  # Copied first: one that comes while the server reads is seen the next time.
  cat "$certificate" > "$served.new" && pg_ctl reload --pgdata="$PGDATA" --silent && mv "$served.new" "$served"
fi
exec pg_isready --quiet --host=/var/run/postgresql --timeout=2
