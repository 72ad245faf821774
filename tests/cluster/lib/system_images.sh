# The images that the cluster itself runs, made from the built programs without a registry. To be sourced; needs
# settings.sh, steps.sh and programs.sh.
# shellcheck shell=bash

# system_archives: the archive of every system image; the names carry a hash of the content.
system_archives() {
  local name
  for name in pause coredns provisioner; do
    echo "$archives/system/$(basename "$(program_folder "$name")").tar"
  done
  echo "$archives/system/busybox-${busybox_image##*:}.tar"
}

system_images() {
  local pause coredns provisioner busybox
  mkdir -p "$archives/system"
  { read -r pause; read -r coredns; read -r provisioner; read -r busybox; } < <(system_archives)
  system_image "$pause_image" "$pause" /pause "$(program_folder pause)/pause"
  system_image "$coredns_image" "$coredns" /coredns "$(program_folder coredns)/coredns"
  system_image "$provisioner_image" "$provisioner" /local-path-provisioner \
    "$(program_folder provisioner)/local-path-provisioner"
  if [ ! -s "$busybox" ]; then
    (flock 8 && busybox_fetch) 8>"$archives/.lock" || exit 1
    system_image "$busybox_image" "$busybox" /bin/busybox "$cache/busybox/bin/busybox"
  fi
}

# busybox_fetch: the static program out of its package. The package is not installed: it would replace another busybox.
busybox_fetch() {
  local folder=$cache/busybox log=$cache/log/packages.log apt=(apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User=root)
  [ ! -x "$folder/bin/busybox" ] || return 0
  rm -rf "$folder.part"
  mkdir -p "$folder.part"
  (
    cd "$folder.part" &&
      { "${apt[@]}" download busybox-static || { "${apt[@]}" update && "${apt[@]}" download busybox-static; }; } &&
      dpkg-deb --extract busybox-static_*.deb . &&
      { [ -x bin/busybox ] || { mkdir -p bin && ln -s ../usr/bin/busybox bin/busybox; }; } &&
      bin/busybox true
  ) >"$log" 2>&1 || fail "fetching the package busybox-static failed" "$log"
  rm -rf "$folder"
  mv "$folder.part" "$folder"
}

# system_image IMAGE ARCHIVE ENTRY FILE: an image of one static program.
system_image() {
  [ ! -s "$2" ] || return 0
  (flock 8 && system_image_build "$@") 8>"$archives/.lock" || exit 1
}

system_image_build() {
  local image=$1 archive=$2 entry=$3 file=$4 tree log=$cache/log/system-images.log
  [ ! -s "$archive" ] || return 0
  tree=$(mktemp -d)
  mkdir -p "$tree$(dirname "$entry")" "$tree/tmp" "$tree/etc"
  chmod 755 "$tree"
  chmod 1777 "$tree/tmp"
  echo 'root:x:0:0:root:/:/bin/sh' >"$tree/etc/passwd"
  cp "$file" "$tree$entry"
  if [ "$entry" = /bin/busybox ]; then
    "$file" --list | grep -v '^busybox$' | while read -r name; do ln -s busybox "$tree/bin/$name"; done
    printf 'FROM scratch\nCOPY . /\n' >"$tree.Dockerfile"
  else
    printf 'FROM scratch\nCOPY . /\nENTRYPOINT ["%s"]\n' "$entry" >"$tree.Dockerfile"
  fi
  { buildah build --isolation chroot --pull-never --layers=false --file "$tree.Dockerfile" --tag "$image" "$tree" &&
    buildah push --disable-compression "$image" "oci-archive:$archive.part:$image"; } >"$log" 2>&1 ||
    fail "making the image $image failed" "$log"
  rm -rf "$tree" "$tree.Dockerfile"
  mv "$archive.part" "$archive"
}
