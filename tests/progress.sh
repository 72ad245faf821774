# Long commands that tell how far they are. To be sourced; needs cluster/lib/steps.sh.
# shellcheck shell=bash

# Process groups that this script started and that still run. A script that sources this ends with stop_children.
children=()

# background LOG COMMAND...: starts COMMAND, a program or a function, with its output in LOG, gently and in a process group of
# its own; sets `started` to the group's number.
background() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  set -m
  (renice -n 5 "$BASHPID" >/dev/null; "$@") </dev/null >"$log" 2>&1 &
  started=$!
  set +m
  children+=("$started")
}

# stop_children: for the trap at the script's end.
stop_children() {
  local child
  for child in "${children[@]}"; do
    kill -- "-$child" 2>/dev/null || true
  done
}

# forget_child PID: it has ended, and its number may soon be another's.
forget_child() {
  local child left=()
  for child in "${children[@]}"; do
    [ "$child" = "$1" ] || left+=("$child")
  done
  children=("${left[@]}")
}

# attend PID WHAT LOG SECONDS: waits for a process of `background`, every 20 s with its last line; gives its status. One that
# takes longer than SECONDS is stopped.
attend() {
  local pid=$1 what=$2 log=$3 deadline=$((SECONDS + $4)) said='' line status=0
  while ! timeout 20 tail --pid="$pid" -s 0.1 -f /dev/null; do
    line=$(tail -c 2000 "$log" 2>/dev/null | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c 1-110) || true
    [ "$line" = "$said" ] || step "$what: $line"
    said=$line
    if [ "$SECONDS" -ge "$deadline" ]; then
      kill -- "-$pid" 2>/dev/null || true
      echo "$what was stopped after $4 s" >>"$log"
      status=124
    fi
  done
  wait "$pid" || status=$?
  forget_child "$pid"
  return "$status"
}

# long SECONDS WHAT LOG COMMAND...: runs COMMAND, with progress; the script ends when it fails.
long() {
  local seconds=$1 what=$2 log=$3 begin=$SECONDS
  shift 3
  background "$log" "$@"
  attend "$started" "$what" "$log" "$seconds" || fail "$what failed" "$log"
  step "$what: done in $((SECONDS - begin)) s"
}

# need_toolchains: what building the programs and the local cluster takes. Debian's own Rust and Go are too old for it.
need_toolchains() {
  command -v cargo >/dev/null || fail "Rust is needed, as new as rust-version in Cargo.toml: install it by rustup"
  command -v go >/dev/null || fail "Go is needed, as new as the go line in tests/cluster/tools/kubernetes/go.mod: install it"
  packages build-essential=cc curl=curl python3=python3 python3-pip=pip3 git=git make=make
}
