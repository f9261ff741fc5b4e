#!/bin/sh
# Supervisor of one agent process: outlives the worker that started it, and enforces the wall clock alone.
#   supervise.sh <run folder> <seconds> <grace seconds> <bytes of output> <bytes of errors> <working directory> <command> [argument...]
# Files, each written under another name and renamed, so that a reader finds all of it or nothing:
#   pid        pid, start time, boot id.namespace of this shell      agent   pid of the command, which leads its own session
#   stop.json  why the command was stopped, first one stands  exit    exit status and end, seconds since the epoch
# What the command prints goes through pipes to writers out here: it can neither empty nor rewrite its log by opening its own
# standard output again, and the first byte past the limit ends it.
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
# so that a main shell that was killed is noticed: nobody would write `exit` then, and nothing may go on unsupervised. A
# command that has not named itself yet is waited for during one more nap.
clock() {
  over='' napping='' agent='' killed='' left=$seconds
  trap 'over=1; [ -z "$napping" ] || kill "$napping" 2>/dev/null' TERM
  while [ "$left" -gt 0 ] && ! is_over; do
    step=3
    [ "$left" -ge "$step" ] || step=$left
    nap "$step"
    left=$((left - step))
    if ! is_over && ! kill -0 "$main" 2>/dev/null; then
      [ -n "$agent$killed" ] || { killed=1 && continue; }
      stop_agent
      exit 0
    fi
  done
  is_over && exit 0
  reason timeout
  stop_agent
}

reason() { # why
  printf '{"why":"%s","by":"supervisor","at":%s000}\n' "$1" "$(date +%s)" >"$run/stop.json.tmp.$1.$seconds"
  ln "$run/stop.json.tmp.$1.$seconds" "$run/stop.json" 2>/dev/null # fails when somebody else gave a reason first
  rm -f "$run/stop.json.tmp.$1.$seconds"
}

# Appends what comes out of a pipe (descriptor 3) to a file, up to a limit. A command that reached it has lost its way: it is
# not asked first.
writer() { # name file bytes
  copy='' stopped=''
  trap 'stopped=1; [ -z "$copy" ] || kill "$copy" 2>/dev/null' TERM
  left=$3 before=-1 size=0
  # A read of a pipe is often short, and dd counts reads: so many at most that the limit cannot be passed, then again. What
  # is left below one block is read byte by byte. Nothing new after a whole dd is the end of the pipe.
  while [ "$left" -gt 0 ] && [ "$size" -ne "$before" ] && [ -z "$stopped" ]; do
    block=65536
    [ "$left" -ge "$block" ] || block=1
    dd bs="$block" count=$((left / block)) <&3 >>"$2" 2>/dev/null &
    copy=$!
    wait "$copy"
    before=$size
    size=$(wc -c <"$2")
    left=$(($3 - size))
  done
  exec 3<&-
  if [ "$left" -le 0 ]; then
    reason output
    read -r agent _ <"$run/agent"
    kill -KILL -- "-$agent" 2>/dev/null || kill -KILL "$agent" 2>/dev/null
  fi
  : >"$run/$1.over"
}

supervise() {
  run=$1 seconds=$2 grace=$3 bytes=$4 error_bytes=$5 directory=$6
  shift 6
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
  # A second one, a little later, should the first be killed.
  (
    seconds=$((seconds + 2))
    clock
  ) &
  second_timer=$!
  # An open of one end of a pipe waits for the other: for good, should this shell be killed in between. So both ends are
  # opened here, by way of a descriptor that reads and writes, and handed on: the writers have 4 and 6, the command 5 and 7.
  mkfifo "$run/out" "$run/err" || exit 1
  exec 3<>"$run/out" 4<"$run/out" 5>"$run/out"
  exec 3<>"$run/err" 6<"$run/err" 7>"$run/err" 3<&-
  rm -f "$run/out" "$run/err"
  # With `exec`, for a shell keeps copies of what the redirections of a function hide, and the end of the pipe never comes.
  (
    exec 3<&4 4<&- 5>&- 6<&- 7>&-
    writer out "$run/stdout.ndjson" "$bytes"
  ) &
  out=$!
  (
    exec 3<&6 4<&- 5>&- 6<&- 7>&-
    writer err "$run/stderr.log" "$error_bytes"
  ) &
  err=$!

  # A session of its own lets the whole group of the command be ended without ending the supervisor. The subshell names
  # itself before it becomes the command.
  (
    read -r self _ </proc/self/stat
    put agent "$self $(start_of "$self")"
    cd "$directory" || exit 126
    umask 022
    exec setsid "$@"
  ) <"$run/prompt.md" >&5 2>&7 4<&- 5>&- 6<&- 7>&- &
  agent=$!
  exec 4<&- 5>&- 6<&- 7>&-

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
  kill -TERM "$timer" "$second_timer" 2>/dev/null
  wait "$timer" "$second_timer"
  # The writers end with the last holder of their pipe; one that got away from the group is not waited for.
  tries=0
  until { [ -e "$run/out.over" ] && [ -e "$run/err.over" ]; } || [ "$tries" -ge 50 ]; do
    tries=$((tries + 1))
    sleep 0.02
  done
  kill -TERM "$out" "$err" 2>/dev/null
  wait "$out" "$err"
  rm -f "$run/out.over" "$run/err.over"
  # A full disk may have room again soon; without `exit` the run counts as interrupted.
  tries=0
  until put exit "$status $(date +%s)" || [ "$tries" -ge 10 ]; do
    tries=$((tries + 1))
    sleep 1
  done
}

supervise "$@" </dev/null >/dev/null 2>&1
exit 0
