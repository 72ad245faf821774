#!/bin/bash
# Builds the images of the Dockerfile, each only when something that goes into it has changed, and keeps them as OCI
# archives. docker or podman do it where they run, else buildah, which needs no daemon and no registry.
#
#   images.sh [operator] [gateway] [postgres] [valkey]      all four without arguments
#
#   RAGLINE_BINARIES=DIR       take the two programs from DIR as they are; default: cargo build --release --locked
#   RAGLINE_MODEL=DIR          take the model files from DIR; default: fetched once into the cache
#   RAGLINE_IMAGE_TAG=dev      the images are called localhost/ragline-NAME:TAG
#   RAGLINE_IMAGE_ENGINE=      docker, podman or buildah
#   RAGLINE_BASE=              the base image; default: debian:trixie-slim, made by debootstrap where buildah builds
#
# target/images/NAME.tar is a link to the archive of NAME; load.sh puts them onto the nodes of a cluster.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/settings.sh
. "$here/lib/settings.sh"
for part in steps packages base_image image_build; do
  . "$here/lib/$part.sh"
done

names=("$@")
[ ${#names[@]} -gt 0 ] || names=(postgres valkey operator gateway)
for name in "${names[@]}"; do
  case $name in operator | gateway | postgres | valkey) ;; *) fail "there is no image called $name" ;; esac
done
tag=${RAGLINE_IMAGE_TAG:-dev}
links=$repository/target/images
compile=$links/compile
model=${RAGLINE_MODEL:-}

# gather_programs: into a folder that holds nothing else.
gather_programs() {
  local from=${RAGLINE_BINARIES:-} name
  if [ -z "$from" ]; then
    step "cargo build --release for the images"
    (cd "$repository" && cargo build --release --locked -p ragline-operator -p ragline-gateway) >"$cache/log/cargo.log" 2>&1 ||
      fail "cargo build --release failed" "$cache/log/cargo.log"
    from=${CARGO_TARGET_DIR:-$repository/target}/release
  fi
  mkdir -p "$compile"
  for name in "$@"; do
    [ -x "$from/ragline-$name" ] || fail "there is no program $from/ragline-$name"
    cmp -s "$from/ragline-$name" "$compile/ragline-$name" || cp "$from/ragline-$name" "$compile/ragline-$name"
  done
}

# gather_model: the script keeps the files in the cache and only links them here.
gather_model() {
  local script=$repository/tests/servers/fetch_model.sh
  [ -z "$model" ] || return 0
  model=$links/model
  bash "$script" "$model" >"$cache/log/model.log" 2>&1 || fail "fetching the embedding model failed" "$cache/log/model.log"
}

mkdir -p "$links" "$archives/built" "$cache/log"
# Two runs would write the same tags.
exec 7>"$archives/.images.lock"
flock -w 900 7 || fail "another run of images.sh has been busy for 15 minutes"
engine=$(image_engine)
step "images are built by $engine"
if [ "$engine" = buildah ]; then
  packages buildah=buildah debootstrap=debootstrap
  base_image
fi
programs_wanted=()
for name in "${names[@]}"; do
  case $name in operator | gateway) programs_wanted+=("$name") ;; esac
done
[ ${#programs_wanted[@]} = 0 ] || gather_programs "${programs_wanted[@]}"
for name in "${names[@]}"; do
  [ "$name" != gateway ] || gather_model
  image "$name"
done
step "the images are in $links"
