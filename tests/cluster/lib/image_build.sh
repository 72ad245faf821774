# Building one image by whatever builds images here. To be sourced; needs settings.sh, steps.sh, `engine`, `tag`,
# `links`, and `compile` and `model`, the folders that stand for those stages of the Dockerfile.
# shellcheck shell=bash

image_engine() {
  local one
  if [ -n "${RAGLINE_IMAGE_ENGINE:-}" ]; then
    echo "$RAGLINE_IMAGE_ENGINE"
    return
  fi
  for one in docker podman; do
    if command -v $one >/dev/null && timeout 20 $one info >/dev/null 2>&1; then
      echo $one
      return
    fi
  done
  echo buildah
}

# stage NAME: the lines of one stage of the Dockerfile.
stage() {
  awk -v name="$1" '$1 == "FROM" { within = ($4 == name) } within' "$repository/Dockerfile"
}

# image_hash NAME: of everything that goes into the image, so that it is built again only when it would differ.
image_hash() {
  {
    echo "$engine ${RAGLINE_BASE:-} $tag"
    case $1 in
      operator | gateway)
        stage base
        stage "$1"
        cat "$compile/ragline-$1"
        [ "$1" != gateway ] || (cd "$model" && find . -type f | sort | xargs -d '\n' sha256sum) ;;
      *) stage "$1" ;;
    esac
  } | sha256sum | cut -c 1-16
}

# image NAME: builds it if needed; the archive then is at $links/NAME.tar.
image() {
  local name=localhost/ragline-$1:$tag archive begin=$SECONDS log=$cache/log/image-$1.log
  archive=$archives/built/$1-$(image_hash "$1").tar
  if [ ! -s "$archive" ]; then
    step "building $name"
    image_build "$1" "$name" >"$log" 2>&1 || fail "building the image $name failed" "$log"
    image_export "$name" "$archive.part" >>"$log" 2>&1 || fail "exporting the image $name failed" "$log"
    mv "$archive.part" "$archive"
    image_forget "$1" "$archive"
    step "built $name in $((SECONDS - begin)) s, $(($(stat -c %s "$archive") / 1000000)) MB"
  else
    step "$name is there already, $(($(stat -c %s "$archive") / 1000000)) MB"
  fi
  ln -sfn "$archive" "$links/$1.tar"
}

# image_build NAME IMAGE: its status is that of the build. Stages that a folder replaces are not built, so neither Rust nor Python images are pulled.
image_build() {
  local arguments=(--file "$repository/Dockerfile" --target "$1" --tag "$2") context shared status=0
  [ -z "${RAGLINE_BASE:-}" ] || arguments+=(--build-arg "BASE=$RAGLINE_BASE")
  case $1 in
    gateway) arguments+=(--build-context "compile=$compile" --build-context "model=$model") ;;
    operator) arguments+=(--build-context "compile=$compile") ;;
  esac
  # No stage that is built here copies from the context, so an empty one will do.
  context=$(mktemp -d)
  case $engine in
    docker) docker buildx build --load "${arguments[@]}" "$context" || status=$? ;;
    podman) podman build "${arguments[@]}" "$context" || status=$? ;;
    buildah)
      case $1 in
        operator | gateway)
          shared=$(shared_base "$context") || return 1
          arguments+=(--build-context "base=docker-image://$shared") ;;
      esac
      buildah_build "${arguments[@]}" "$context" || status=$? ;;
    *)
      echo "RAGLINE_IMAGE_ENGINE is '$engine': use docker, podman or buildah"
      status=1 ;;
  esac
  rmdir "$context"
  return $status
}

# shared_base CONTEXT: the stage that operator and gateway have in common, kept as an image: a new program then needs
# no package mirror and half a second.
shared_base() {
  local name
  name=localhost/ragline-base:$({ echo "$RAGLINE_BASE"; stage base; } | sha256sum | cut -c 1-16)
  buildah inspect --type image "$name" >/dev/null 2>&1 ||
    buildah_build --file "$repository/Dockerfile" --target base --tag "$name" --build-arg "BASE=$RAGLINE_BASE" "$1" >&2 ||
    return 1
  echo "$name"
}

# buildah_build ARGUMENTS...
buildah_build() {
  local settings status=0 arguments=(--isolation chroot --pull-never --layers=false --network host)
  settings=$(mktemp)
  apt_settings >"$settings"
  [ ! -s "$settings" ] || arguments+=(--volume "$settings:/etc/apt/apt.conf.d/zz-build-machine:ro")
  buildah build "${arguments[@]}" "$@" || status=$?
  rm -f "$settings"
  return $status
}

# apt_settings: how apt reaches its mirrors from this machine; seen by the build, never written into an image.
apt_settings() {
  apt-config dump 2>/dev/null | grep -iE '^Acquire::https?::Proxy' || true
}

image_export() {
  rm -f "$2"
  case $engine in
    docker | podman) "$engine" save --output "$2" "$1" ;;
    buildah) buildah push --disable-compression "$1" "oci-archive:$2:$1" ;;
  esac
}

# image_forget NAME ARCHIVE: older archives of the same image would only fill the disk.
image_forget() {
  local old
  for old in "$archives/built/$1"-*.tar; do
    [ "$old" = "$2" ] || rm -f "$old"
  done
  [ "$engine" != buildah ] || buildah rmi --prune >/dev/null 2>&1 || true
}
