# shellcheck shell=bash
# The processes that this script started, and no others: a process is ours if its pid
# *and* its start time are the recorded ones. A pid alone may have passed to a stranger.

readonly KILL_LIMIT_S=10   # from SIGKILL to the end: only the kernel's own work
readonly POLL_S=0.05

launch() { # NAME COMMAND..: starts it in a session of its own (no Ctrl-C, no terminal) and records it
    local name=$1
    shift
    # The locks (8, 9) must not live on in the server.
    (cd "$RUN/$name" && exec setsid "$@") </dev/null >>"$RUN/$name/log" 2>&1 8>&- 9>&- &
    local pid=$! since
    disown # its end is reported by whoever waits for its answer
    read -r _ since < <(process_state "$pid") || since=0
    echo "$pid $since $(boot_id)" >"$RUN/$name/pid"
    log_line "$name" "started as process $pid"
}

pid_of() { # NAME -> the pid of its process, if it lives and is the one we started
    local pid since boot state now
    { read -r pid since boot <"$RUN/$1/pid"; } 2>/dev/null || return 1
    [ "$boot" = "$(boot_id)" ] || return 1
    read -r state now < <(process_state "$pid") || return 1
    [ "$now" = "$since" ] && [ "$state" != Z ] && [ "$state" != X ] && echo "$pid"
}

process_state() { # PID -> its state letter and start time, or nothing
    local line fields
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The second field, the name in brackets, may hold spaces: count from behind it.
    read -ra fields <<<"${line##*) }"
    echo "${fields[0]} ${fields[19]}"
}

boot_id() { # start times count from the boot, so they name a process only within one
    cat /proc/sys/kernel/random/boot_id
}

is_paused() { # NAME
    local pid state
    pid=$(pid_of "$1") && read -r state _ < <(process_state "$pid") && [ "$state" = T ]
}

signal_tree() { # SIGNAL NAME: the server and its children (PostgreSQL has one a connection)
    local pid children
    pid=$(pid_of "$2") || return 1
    # Stopped first, so that no child is born between the look and the signal.
    kill -STOP "$pid"
    children=$(children_of "$pid")
    # shellcheck disable=SC2086 # a list of pids
    kill "-$1" $children 2>/dev/null || true
    kill "-$1" "$pid"
}

children_of() { # PID -> the pids of its children
    cat "/proc/$1/task/$1/children" 2>/dev/null || true
}

kill_hard() { # NAME: SIGKILL, as the end of a machine would; returns when all of it is gone
    local pid all child
    pid=$(pid_of "$1") || return 1
    kill -STOP "$pid"
    all="$pid $(children_of "$pid")"
    # shellcheck disable=SC2086 # a list of pids
    kill -KILL $all 2>/dev/null || true
    for child in $all; do
        await_end "$child" "$KILL_LIMIT_S" || give_up "process $child outlives SIGKILL"
    done
}

end_gently() { # NAME SIGNAL LIMIT_S: false if it is still there after the limit
    local pid
    pid=$(pid_of "$1") || return 0
    if is_paused "$1"; then signal_tree CONT "$1"; fi
    kill "-$2" "$pid"
    await_end "$pid" "$3"
}

await_end() { # PID LIMIT_S
    local end=$(($(now_ms) + $2 * 1000)) state
    # Z: dead, and waiting for an init process to take notice, which takes a second or for ever.
    while read -r state _ < <(process_state "$1") && [ "$state" != Z ]; do
        (($(now_ms) < end)) || return 1
        sleep "$POLL_S"
    done
}
