#!/bin/sh
# Starts PostgreSQL. Makes its files where there are none, sets the passwords of the roles to those of the Secrets, and becomes
# the server. Expects no more of the image than PostgreSQL 17 and a shell.
set -eu
umask 077
PATH="$PATH:/usr/lib/postgresql/17/bin"
config=/etc/ragline/postgres
secrets=/etc/ragline/secrets

fail() {
  echo "PostgreSQL is not started: $*" >&2
  exit 1
}

# Runs SQL from its input, one statement a line, in the files of $1, before anybody can connect. What fails is not logged with its
# text, which holds passwords.
sql() {
  postgres --single -D "$1" -c config_file="$config/postgresql.conf" -c exit_on_error=on -c log_min_error_statement=panic \
    -c log_statement=none -c log_min_duration_statement=-1 postgres > /dev/null
}

password() {
  cat "$secrets/$1/password"
}

if [ ! -e "$PGDATA" ]; then
  # Made aside and moved at the end, so that a start which was cut short leaves nothing half made.
  rm -rf "$PGDATA.new"
  initdb --pgdata="$PGDATA.new" --username=postgres --encoding=UTF8 --locale=C --locale-provider=builtin \
    --builtin-locale=C.UTF-8 --data-checksums --auth=reject --no-instructions > /dev/null
  sql "$PGDATA.new" << SQL
CREATE ROLE ragline_owner LOGIN
CREATE ROLE ragline_app LOGIN
CREATE DATABASE ragline OWNER ragline_owner
REVOKE ALL ON DATABASE ragline FROM PUBLIC
GRANT CONNECT ON DATABASE ragline TO ragline_app
SQL
  mv "$PGDATA.new" "$PGDATA"
fi

# Two roles take turns; the one whose turn it is not may be locked out, and stays so.
application=$(cat "$secrets/application/username")
case $application in
  ragline_app | ragline_app_2) ;;
  *) fail "the Secret names the application's role $application, which is none of ours" ;;
esac

[ -s "$PGDATA/PG_VERSION" ] || fail "$PGDATA holds no database; it is left as it is"
version=$(cat "$PGDATA/PG_VERSION")
[ "$version" = 17 ] || fail "the data is of PostgreSQL $version and can be read by that version only"
# A volume may come back with other modes than PostgreSQL accepts.
chmod 0700 "$PGDATA"

sql "$PGDATA" << SQL || fail "the passwords of the roles cannot be set"
DO \$\$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ragline_replication') THEN CREATE ROLE ragline_replication; END IF; END \$\$
ALTER ROLE ragline_replication LOGIN REPLICATION NOSUPERUSER PASSWORD '$(password replication)'
ALTER ROLE postgres PASSWORD '$(password superuser)'
ALTER ROLE ragline_owner LOGIN PASSWORD '$(password owner)'
DO \$\$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$application') THEN CREATE ROLE $application; END IF; END \$\$
ALTER ROLE $application LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '$(password application)'
SQL

exec postgres -D "$PGDATA" -c config_file="$config/postgresql.conf" -c hba_file="$config/pg_hba.conf"
