#!/bin/sh
# Starts Valkey. The password goes from the Secret's file into a file in memory, and never through a command line.
set -eu
umask 077
{
  cat /etc/ragline/valkey/valkey.conf
  printf 'requirepass %s\n' "$(cat /etc/ragline/secrets/valkey/password)"
} > /tmp/valkey.conf
exec valkey-server /tmp/valkey.conf
