#!/bin/sh
# Supervisor of one agent process: outlives the worker that started it, and enforces the wall clock alone.
#   supervise.sh <run folder> <seconds> <grace seconds> <working directory> <command> [argument...]
# Files, each written under another name and renamed, so that a reader finds all of it or nothing:
#   pid        pid, start time, boot id.namespace of this shell      agent   pid of the command, which leads its own session
#   stop.json  why the command was stopped, first one stands  exit    exit status and end, seconds since the epoch
# Everything stands in functions: the shell has read the whole file before the first line runs, so an upgrade that
# replaces it changes nothing for runs under way.

put() { # file text
  printf '%s\n' "$2" >"$run/$1.tmp.$$" && mv -f "$run/$1.tmp.$$" "$run/$1"
}

# Field 22 of /proc/<pid>/stat; the name in field 2 may hold anything, so fields are counted behind its last bracket.
start_of() {
  read -r stat <"/proc/$1/stat" || return 1
  stat=${stat##*) }
  set -f
  # shellcheck disable=SC2086 # split on purpose
  set -- $stat
  printf '%s' "${20}"
}

agent_lives() { kill -0 -- "-$agent" 2>/dev/null || kill -0 "$agent" 2>/dev/null; }

stop_agent() {
  [ -n "$agent" ] || return 0
  kill -TERM -- "-$agent" 2>/dev/null || kill -TERM "$agent" 2>/dev/null
  waited=0
  while [ "$waited" -lt "$grace" ] && agent_lives; do
    nap 1
    waited=$((waited + 1))
  done
  kill -KILL -- "-$agent" 2>/dev/null || kill -KILL "$agent" 2>/dev/null
}

# A sleep that ends with its caller: the trap of `clock` may come before or after the assignment, both are covered.
nap() {
  sleep "$1" &
  napping=$!
  [ -z "$over" ] || kill "$napping" 2>/dev/null
  wait "$napping"
}

# Over when the main shell says so, or has reaped the command: its request is lost when it comes before the trap is set.
is_over() {
  [ -z "$over" ] || return 0
  [ -n "$agent" ] || read -r agent _ <"$run/agent" || return 1
  ! kill -0 "$agent" 2>/dev/null
}

# Runs next to the main shell and is started before the command, so that there is no moment without it. Naps are short,
# so that a main shell that was killed is noticed: nobody would write `exit` then, and nothing may go on unsupervised.
clock() {
  over='' napping='' agent='' left=$seconds
  trap 'over=1; [ -z "$napping" ] || kill "$napping" 2>/dev/null' TERM
  while [ "$left" -gt 0 ] && ! is_over; do
    step=3
    [ "$left" -ge "$step" ] || step=$left
    nap "$step"
    left=$((left - step))
    if ! is_over && ! kill -0 "$main" 2>/dev/null; then
      stop_agent
      exit 0
    fi
  done
  is_over && exit 0
  printf '{"why":"timeout","by":"supervisor","at":%s000}\n' "$(date +%s)" >"$run/stop.json.tmp.$$"
  ln "$run/stop.json.tmp.$$" "$run/stop.json" 2>/dev/null # fails when somebody else gave a reason first
  rm -f "$run/stop.json.tmp.$$"
  stop_agent
}

supervise() {
  run=$1 seconds=$2 grace=$3 directory=$4
  shift 4
  umask 077
  # Two supervisors for one run can never be: mkdir is atomic.
  mkdir "$run/started" 2>/dev/null || exit 125
  # `trap ''` would be inherited by the command, a handler is not.
  trap 'interrupted=1' TERM INT HUP
  main=$$
  read -r boot </proc/sys/kernel/random/boot_id
  space=$(readlink /proc/self/ns/pid)
  space=${space#*[}
  put pid "$main $(start_of "$main") $boot.${space%]}" || exit 1
  clock &
  timer=$!

  # A session of its own lets the whole group of the command be ended without ending the supervisor. The subshell names
  # itself before it becomes the command.
  (
    read -r self _ </proc/self/stat
    put agent "$self $(start_of "$self")"
    cd "$directory" || exit 126
    umask 022
    exec setsid "$@"
  ) <"$run/prompt.md" >>"$run/stdout.ndjson" 2>>"$run/stderr.log" &
  agent=$!

  # `wait` also returns when a trapped signal arrives. A second wait for a child that was reaped answers 127: then the
  # first answer was the status.
  status=''
  while :; do
    interrupted=''
    wait "$agent"
    got=$?
    if [ "$got" -eq 127 ] && [ -n "$status" ]; then break; fi
    status=$got
    [ -n "$interrupted" ] || break
  done

  # What the command left in its group ends with it.
  kill -KILL -- "-$agent" 2>/dev/null
  kill -TERM "$timer" 2>/dev/null
  wait "$timer"
  # A full disk may have room again soon; without `exit` the run counts as interrupted.
  tries=0
  until put exit "$status $(date +%s)" || [ "$tries" -ge 10 ]; do
    tries=$((tries + 1))
    sleep 1
  done
}

supervise "$@" </dev/null >/dev/null 2>&1
exit 0
