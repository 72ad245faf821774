# The Go programs of the cluster, built once per pinned version. To be sourced; needs settings.sh and steps.sh.
# shellcheck shell=bash

kubernetes_programs=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl)

# module_version FOLDER MODULE: the version that go.mod pins.
module_version() {
  awk -v module="$2" '$1 == "require" { sub(/^require /, "") } $1 == module && $2 ~ /^v/ { print $2; exit }' "$1/go.mod"
}

# program_folder NAME: where the build of tools/NAME lies; the name carries a hash of everything that goes into it.
program_folder() {
  local folder=$cluster_scripts/tools/$1
  echo "$programs/$1-$({ cat "$folder"/*.go "$folder"/go.mod "$folder"/go.sum 2>/dev/null; program_flags "$1"; } | sha256sum | cut -c 1-16)"
}

program_flags() {
  local flags='-s -w' version stamp=k8s.io/component-base/version
  if [ "$1" = kubernetes ]; then
    # Without the stamp the server calls itself v0.0.0, and clients that look at the version refuse it.
    version=$(module_version "$cluster_scripts/tools/kubernetes" k8s.io/kubernetes)
    flags+=" -X $stamp.gitVersion=$version -X $stamp.gitMajor=$(cut -d . -f 1 <<<"${version#v}")"
    flags+=" -X $stamp.gitMinor=$(cut -d . -f 2 <<<"$version") -X $stamp.gitTreeState=clean"
  fi
  echo "$flags"
}

# program NAME FILE PACKAGE: builds tools/NAME into the cache unless it is there. Two scripts never build at once.
program() {
  [ ! -x "$(program_folder "$1")/$2" ] || return 0
  mkdir -p "$cache/log" "$programs"
  (flock 8 && program_build "$@") 8>"$programs/.lock" || exit 1
}

program_build() {
  local name=$1 file=$2 package=$3 folder log=$cache/log/build-$1.log begin=$SECONDS
  folder=$(program_folder "$name")
  [ ! -x "$folder/$file" ] || return 0
  command -v go >/dev/null || fail "Go is needed to build $name; install it and run this again"
  step "building $name (once; later runs take it from $programs)"
  rm -rf "$folder" "$folder.part"
  mkdir -p "$folder.part"
  (cd "$cluster_scripts/tools/$name" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false nice go build -mod=readonly -trimpath \
    -ldflags "$(program_flags "$name")" -o "$folder.part/$file" "$package") >"$log" 2>&1 ||
    fail "building $name failed" "$log"
  mv "$folder.part" "$folder"
  step "built $name in $((SECONDS - begin)) s"
}

# programs_build: everything a cluster runs, and Helm.
programs_build() {
  kubernetes_build
  program pause pause .
  program coredns coredns .
  program provisioner local-path-provisioner github.com/rancher/local-path-provisioner
  program netpol netpol .
  program helm helm helm.sh/helm/v4/cmd/helm
}

# kubernetes_build: the one file that holds the Kubernetes programs, with a link named for each.
kubernetes_build() {
  local name
  program kubernetes kubernetes .
  bin=$(program_folder kubernetes)
  for name in "${kubernetes_programs[@]}"; do
    [ -e "$bin/$name" ] || ln -sf kubernetes "$bin/$name"
  done
}
