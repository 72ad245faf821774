#!/bin/bash
# A real Kubernetes with a pipeline on it that answers questions about real documents; and its removal.
#
#   demo.sh up      brings it up, ingests, asks, verifies; can be run again
#   demo.sh down    removes everything that `up` made
#
# The cluster is that of KUBECONFIG where RAGLINE_IMAGE_REPOSITORY says where its images can be pushed; else kind, where
# docker and kind run; else the local Kubernetes of tests/cluster. RAGLINE_DEMO_CLUSTER=local|kind|own chooses itself.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cluster/lib/settings.sh
. "$here/../cluster/lib/settings.sh"
for part in steps packages programs; do
  . "$here/../cluster/lib/$part.sh"
done
# shellcheck source=tests/progress.sh
. "$here/../progress.sh"
for part in where images documents install answers; do
  . "$here/$part.sh"
done

demo=$repository/target/demo
logs=$demo/log
namespace=ragline-demo
operator_namespace=ragline-system
release=ragline
pipeline=quickstart

up() {
  local begin=$SECONDS
  mkdir -p "$logs"
  where_choose
  images_build
  where_ready
  images_deliver
  documents
  install_chart
  install_pipeline
  answers_forward
  answers_ingest
  answers_ask
  answers_show
  answers_verify
  answers_go_on "$((SECONDS - begin))"
}

down() {
  if [ ! -s "$demo/where" ]; then
    step "there is no demo to remove"
    return
  fi
  where_chosen
  where_remove
  rm -rf "$demo"
}

trap stop_children EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

case ${1:-} in
  up | down) "$1" ;;
  *)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2 ;;
esac
