# The images of the demo: built from this clone, tagged by their content so that a changed program is a changed image.
# To be sourced by demo.sh.
# shellcheck shell=bash

images_build() {
  local binaries=${RAGLINE_BINARIES:-}
  if [ -z "$binaries" ]; then
    long 3600 "compiling the operator and the gateway" "$logs/cargo.log" \
      cargo build --release --locked --manifest-path "$repository/Cargo.toml" -p ragline-operator -p ragline-gateway
    binaries=${CARGO_TARGET_DIR:-$repository/target}/release
  fi
  gateway_program=$binaries/ragline-gateway
  image_tag=demo-$(cat "$binaries/ragline-operator" "$binaries/ragline-gateway" | sha256sum | cut -c 1-12)
  RAGLINE_BINARIES=$binaries long 1800 "building the images" "$logs/images.log" images_both
}

# images_both: PostgreSQL and Valkey do not change with the programs, so their tag does not either.
images_both() {
  RAGLINE_IMAGE_TAG=dev "$cluster_scripts/images.sh" postgres valkey
  RAGLINE_IMAGE_TAG=$image_tag "$cluster_scripts/images.sh" operator gateway
}

images_deliver() {
  local prefix=localhost/ragline-
  case $where in
    local) long 300 "loading the images onto the nodes" "$logs/load.log" "$cluster_scripts/load.sh" ;;
    kind) long 600 "loading the images into kind" "$logs/load.log" "$cluster_scripts/load.sh" --kind "$kind_cluster" ;;
    own)
      prefix=$RAGLINE_IMAGE_REPOSITORY/ragline-
      long 1800 "pushing the images to $RAGLINE_IMAGE_REPOSITORY" "$logs/push.log" images_push ;;
  esac
  operator_image=${prefix}operator
  gateway_image=${prefix}gateway:$image_tag
  postgres_image=${prefix}postgres:dev
  valkey_image=${prefix}valkey:dev
}

images_push() {
  local one engine=buildah
  for one in docker podman; do
    if command -v $one >/dev/null && timeout 20 $one info >/dev/null 2>&1; then
      engine=$one
      break
    fi
  done
  for one in "operator:$image_tag" "gateway:$image_tag" postgres:dev valkey:dev; do
    if [ $engine = buildah ]; then
      buildah push "localhost/ragline-$one" "docker://$RAGLINE_IMAGE_REPOSITORY/ragline-$one"
    else
      $engine tag "localhost/ragline-$one" "$RAGLINE_IMAGE_REPOSITORY/ragline-$one"
      $engine push "$RAGLINE_IMAGE_REPOSITORY/ragline-$one"
    fi
  done
}
