# The base image for buildah, made from Debian's packages and so without a registry. To be sourced; needs settings.sh,
# steps.sh and packages.sh.
# shellcheck shell=bash

base_name=localhost/debian:trixie-slim

# debian_mirror PATTERN: where this machine gets its own packages from.
debian_mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    sed -nE 's/^(deb( \[[^]]*\])?|URIs:) +(https?:[^ ]+).*/\3/p' | grep -E "$1" | head -n 1
}

base_image() {
  [ -z "${RAGLINE_BASE:-}" ] || return 0
  RAGLINE_BASE=$base_name
  mkdir -p "$archives"
  if ! buildah inspect --type image "$base_name" >/dev/null 2>&1; then
    (flock 8 && base_image_build) 8>"$archives/.lock" || exit 1
  fi
}

base_image_build() {
  local tree log=$cache/log/base-image.log mirror security container
  ! buildah inspect --type image "$base_name" >/dev/null 2>&1 || return 0
  step "making the base image $base_name (once)"
  mirror=$(debian_mirror '/debian/?$')
  security=$(debian_mirror '/debian-security/?$')
  [ -n "$mirror" ] || fail "no Debian mirror in /etc/apt/sources.list*: set RAGLINE_BASE to a base image"
  tree=$(mktemp -d "$cache/base.XXXXXX")
  nice debootstrap --variant=minbase trixie "$tree" "$mirror" >"$log" 2>&1 || fail "debootstrap failed" "$log"
  base_slim "$tree"
  {
    echo "deb $mirror trixie main"
    echo "deb $mirror trixie-updates main"
    [ -z "$security" ] || echo "deb $security trixie-security main"
  } >"$tree/etc/apt/sources.list"
  { container=$(buildah from scratch) && buildah add "$container" "$tree" / &&
    buildah config --cmd /bin/bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container" &&
    buildah commit --rm "$container" "$base_name"; } >>"$log" 2>&1 || fail "making the base image failed" "$log"
  rm -rf --one-file-system "$tree"
}

# base_slim TREE: documentation and translations are left out, as in Debian's own slim images; licences stay.
base_slim() {
  cat >"$1/etc/dpkg/dpkg.cfg.d/slim" <<'EOF'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/lintian/*
EOF
  printf 'Acquire::Languages "none";\nAPT::Install-Recommends "false";\n' >"$1/etc/apt/apt.conf.d/slim"
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
  chmod 755 "$1/usr/sbin/policy-rc.d"
  find "$1/usr/share/doc" -type f ! -name copyright -delete
  find "$1/usr/share/doc" -xtype l -delete
  find "$1/usr/share/doc" -type d -empty -delete
  rm -rf "$1"/usr/share/{man,info,locale,lintian}/* "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin \
    "$1"/var/cache/apt/archives/*.deb "$1"/var/log/* "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/var/cache/ldconfig/*
}
