# Phases with their times, and the sum of what cargo's tests say. To be sourced; needs cluster/lib/steps.sh, and `logs`.
# shellcheck shell=bash

done_phases=()
failed_phases=()

# phase NAME: runs phase_NAME in a shell of its own, which ends at the first command that fails; prints how long it took.
# Must not be called in a condition: bash would then ignore failing commands inside.
phase() {
  local begin=$SECONDS status
  declare -F "phase_$1" >/dev/null || fail "there is no phase called $1"
  step "phase $1"
  set +e
  (set -e; "phase_$1")
  status=$?
  set -e
  done_phases+=("$1")
  if [ "$status" = 0 ]; then
    step "phase $1: passed in $((SECONDS - begin)) s"
  else
    failed_phases+=("$1")
    step "phase $1: FAILED after $((SECONDS - begin)) s"
  fi
}

# not_run NAME WHY: a phase that cannot run counts as failed.
not_run() {
  failed_phases+=("$1")
  step "phase $1: NOT RUN, $2"
}

# failed NAME...: whether one of these phases failed.
failed() {
  local one
  for one in "$@"; do
    case " ${failed_phases[*]} " in *" $one "*) return 0 ;; esac
  done
  return 1
}

# cargo_tests NAME ARGUMENTS...: cargo test, shown and counted. No test at all, or one that was left out, is a failure.
cargo_tests() {
  local name=$1 log=$logs/$1.log status=0 passed failed ignored
  shift
  cargo test --no-fail-fast "$@" 2>&1 | tee "$log" || status=$?
  read -r passed failed ignored < <(awk '/^test result: / { p += $4; f += $6; i += $8 } END { print p + 0, f + 0, i + 0 }' "$log")
  # A crashed test program prints no result.
  [ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1
  echo "$name $passed $failed" >>"$logs/results"
  if [ "$ignored" != 0 ]; then
    echo "error: $ignored tests of $name are ignored; nothing may be" >&2
    status=1
  fi
  if [ "$passed" = 0 ] && [ "$failed" = 0 ]; then
    echo "error: no test of $name ran" >&2
    status=1
  fi
  return "$status"
}

# closing_line: the sum of all tests; a phase that failed without a failed test counts as one. Fails when anything did.
closing_line() {
  local passed failed name
  read -r passed failed < <(awk '{ p += $2; f += $3 } END { print p + 0, f + 0 }' "$logs/results" 2>/dev/null || echo 0 0)
  for name in "${failed_phases[@]}"; do
    awk -v name="$name" '$1 == name && $3 > 0 { found = 1 } END { exit !found }' "$logs/results" || failed=$((failed + 1))
  done
  [ ${#done_phases[@]} -gt 0 ] || failed=$((failed + 1))
  echo
  step "phases: ${done_phases[*]}${failed_phases:+; failed or not run: ${failed_phases[*]}}"
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" != 0 ]
}
