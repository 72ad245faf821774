#!/bin/bash
# The programs that judge what watches the pipelines: helm, promtool, and luahealth, which runs Argo CD's health script. Prepares
# what is not there yet and prints the folder with all three; what it does meanwhile goes to standard error.
#
#   programs.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cluster/lib/settings.sh
. "$here/../cluster/lib/settings.sh"
for part in steps programs; do
  . "$cluster_scripts/lib/$part.sh"
done
unpacked=$programs/promtool-debian/promtool
folder=$repository/target/monitoring

# promtool_unpack: takes promtool out of Debian's package without installing that, since it would start a Prometheus. It is
# built by Debian for its stable release; building it here would take as long as Helm.
promtool_unpack() {
  local part=$programs/promtool-debian.part log=$cache/log/promtool.log
  local download=(apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=3 download prometheus)
  [ ! -x "$unpacked" ] || return 0
  command -v apt-get >/dev/null || fail "install promtool, which comes with Prometheus: apt-get is not here"
  step "fetching promtool (once; later runs take it from $programs)"
  rm -rf "$part" "${unpacked%/*}"
  mkdir -p "$part" "$cache/log"
  # A system that has never asked for its list of packages knows no package.
  (cd "$part" && { "${download[@]}" || { apt-get -q update && "${download[@]}"; }; } && dpkg-deb -x prometheus_*.deb files) \
    >"$log" 2>&1 || fail "Debian's package prometheus could not be fetched" "$log"
  mkdir -p "${unpacked%/*}"
  mv "$part/files/usr/bin/promtool" "$unpacked"
  rm -rf "$part"
}

exec 3>&1 >&2
mkdir -p "$programs" "$folder"
if ! promtool=$(command -v promtool); then
  (flock 8 && promtool_unpack) 8>"$programs/.lock.promtool" || exit 1
  promtool=$unpacked
fi
program luahealth luahealth .
helm=$(command -v helm) || { program helm helm helm.sh/helm/v4/cmd/helm && helm=$(program_folder helm)/helm; }
ln -sfn "$helm" "$folder/helm"
ln -sfn "$promtool" "$folder/promtool"
ln -sfn "$(program_folder luahealth)/luahealth" "$folder/luahealth"
echo "$folder" >&3
