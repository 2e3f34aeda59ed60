# shellcheck shell=bash
# What is said to whoever called, and when it is over.

begin() { # NAME: from here on this shell does the work of one server, and never fails in silence
    NAME=$1
    trap '[ $? = 0 ] || [ -n "${REPORTED:-}" ] || echo "$NAME FAILED at: $BASH_COMMAND" >&2' EXIT
}

give_up() { # REASON: this server cannot be had; the others go on in shells of their own
    REPORTED=yes
    printf '%-10s FAILED: %s\n' "$NAME" "$1" >&2
    exit 1
}

give_up_with_log() { # NAME REASON
    REPORTED=yes
    {
        printf '%-10s FAILED: %s; the end of its log, %s:\n' "$1" "$2" "${RUN#"$PWD/"}/$1/log"
        tail -n "$LOG_TAIL" "$RUN/$1/log" | sed 's/^/    | /'
    } >&2
    exit 1
}

say() { # NAME WORDS
    printf '%-10s %s\n' "$1" "$2"
}

log_line() { # NAME WORDS: into its own log, between what its processes write
    printf -- '--- servers, %(%FT%T%z)T: %s\n' -1 "$2" >>"$RUN/$1/log"
}

now_ms() { echo "$((${EPOCHREALTIME/[.,]/} / 1000))"; }

seconds_since() { # MS
    local ms=$(($(now_ms) - $1))
    printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}
