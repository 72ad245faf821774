#!/bin/bash
# Formatting, lints, licences and sources of dependencies, shell scripts. Prints what is wrong and fails; changes nothing.
#
#   lint.sh
#
# cargo-deny is built once into RAGLINE_CACHE; deny.toml is what it holds the dependencies to.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cluster/lib/settings.sh
. "$here/cluster/lib/settings.sh"
for part in steps packages; do
  . "$here/cluster/lib/$part.sh"
done
# shellcheck source=tests/progress.sh
. "$here/progress.sh"

deny_version=0.20.2
deny=$cache/cargo-deny-$deny_version
logs=$repository/target/lint
wrong=()

# check NAME COMMAND...: goes on after a failure, so that one run shows everything.
check() {
  local name=$1
  shift
  step "$name"
  "$@" || wrong+=("$name")
}

# The debug build takes a minute, and checks as well as a fast one.
deny_install() {
  [ ! -x "$deny/bin/cargo-deny" ] || return 0
  CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$deny.build long 1800 "building cargo-deny $deny_version (once)" "$logs/cargo-deny.log" \
    cargo install --quiet --locked --debug "cargo-deny@$deny_version" --root "$deny"
  rm -rf "$deny.build"
}

# scripts: every shell script of the repository, by its first line or its ending.
scripts() {
  git -C "$repository" ls-files --cached --others --exclude-standard | while read -r file; do
    case $file in
      *.sh | .ci/run) echo "$file" ;;
    esac
  done
}

mkdir -p "$logs"
cd "$repository"
trap stop_children EXIT
need_toolchains
packages shellcheck=shellcheck
check "formatting: cargo fmt --check" cargo fmt --all --check
check "lints: cargo clippy" cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
deny_install
check "dependencies: cargo deny" "$deny/bin/cargo-deny" --locked --all-features check --hide-inclusion-graph bans licenses sources
readarray -t all_scripts < <(scripts)
check "shell scripts: shellcheck of ${#all_scripts[@]} files" shellcheck -x "${all_scripts[@]}"
if [ ${#wrong[@]} -gt 0 ]; then
  printf 'error: %s\n' "${wrong[@]}" >&2
  exit 1
fi
step "nothing to complain about"
