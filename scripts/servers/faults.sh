# shellcheck shell=bash
# What tests do to a server: kill, stop, start, pause, resume.

each() { # ACTION NAME..: one after the other, each under its lock
    local action=$1 name failed=0
    shift
    (($# > 0)) || misuse "say which: ${NAMES[*]}"
    for name in "$@"; do known "$name"; done
    for name in "$@"; do
        (
            begin "$name"
            if given "$name" >/dev/null; then
                give_up "it is given in $("${name}_variable") and not ours to ${action%_one}"
            fi
            lock "$name"
            [ -n "$(how_of "$name")" ] || give_up "it was never up here; run \`servers up $name\`"
            "$action" "$name"
        ) &
        wait $! || failed=1
    done
    return "$failed"
}

start_one() { bring_up "$1"; }

kill_one() {
    if [ "$(how_of "$1")" = compose ]; then
        compose kill "$1"
    else
        kill_hard "$1" || give_up "it is not running"
    fi
    say "$1" killed
}

stop_one() {
    local from
    from=$(now_ms)
    if [ "$(how_of "$1")" = compose ]; then
        compose stop "$1"
    else
        pid_of "$1" >/dev/null || give_up "it is not running"
        "${1}_stop" || give_up "it has not ended $STOP_LIMIT_S s after being asked to"
    fi
    say "$1" "stopped in $(seconds_since "$from")"
}

pause_one() {
    if [ "$(how_of "$1")" = compose ]; then
        compose pause "$1"
    else
        signal_tree STOP "$1" || give_up "it is not running"
    fi
    say "$1" paused
}

resume_one() {
    if [ "$(how_of "$1")" = compose ]; then
        compose unpause "$1"
    else
        signal_tree CONT "$1" || give_up "it is not running"
    fi
    say "$1" resumed
}
