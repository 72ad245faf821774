# Progress, waiting with a deadline, and daemons that are known by their process id. To be sourced.
# shellcheck shell=bash

started_ms=$(date +%s%3N)

# step TEXT...: one line of progress with the seconds since the script began.
step() {
  local ms=$(($(date +%s%3N) - started_ms))
  printf '%4d.%d s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*"
}

# fail TEXT [LOG]: says what went wrong, shows the end of the log concerned, and ends the script.
fail() {
  echo "error: $1" >&2
  if [ -n "${2:-}" ] && [ -s "$2" ]; then
    echo "the last lines of $2:" >&2
    tail -n 15 "$2" | cut -c 1-400 | sed 's/^/  /' >&2
  fi
  exit 1
}

# wait_for SECONDS WHAT LOG COMMAND...: runs COMMAND until it succeeds. WATCHED may name a daemon's pid file: when
# that daemon ends there is nothing left to wait for.
wait_for() {
  local seconds=$1 what=$2 log=$3 deadline
  shift 3
  deadline=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    if [ -n "${WATCHED:-}" ] && ! daemon_runs "$WATCHED"; then
      fail "waiting for $what: the process in $WATCHED ended" "$log"
    fi
    [ "$SECONDS" -lt "$deadline" ] || fail "gave up waiting for $what after $seconds s" "$log"
    sleep 0.1
  done
}

# process_start PID: the kernel's start time of a process, which tells it from a later one of the same number.
process_start() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The second field is the name in brackets and may hold spaces; what follows begins with the third, the state.
  read -ra fields <<<"${stat##*) }"
  [ "${fields[0]}" != Z ] || return 1
  echo "${fields[19]}"
}

# daemon PIDFILE LOG COMMAND...: starts COMMAND in a session of its own, so that it outlives the script and its terminal.
daemon() {
  local file=$1 log=$2 pid
  shift 2
  setsid "$@" </dev/null >>"$log" 2>&1 9>&- &
  pid=$!
  echo "$pid $(process_start "$pid" || echo gone)" >"$file"
}

daemon_runs() {
  local pid start
  [ -s "$1" ] && read -r pid start <"$1" && [ "$(process_start "$pid")" = "$start" ]
}

# daemon_stop PIDFILE [SECONDS]: asks the process to end, and makes it end when it has not after SECONDS.
daemon_stop() {
  local pid deadline=$((SECONDS + ${2:-5}))
  if daemon_runs "$1"; then
    read -r pid _ <"$1"
    kill "$pid" 2>/dev/null || true
    while daemon_runs "$1"; do
      if [ "$SECONDS" -ge "$deadline" ]; then
        kill -9 "$pid" 2>/dev/null || true
        deadline=$((SECONDS + 5))
      fi
      sleep 0.05
    done
  fi
  rm -f "$1"
}
