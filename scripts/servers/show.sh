# shellcheck shell=bash
# `status`, `env` and `logs`.

status() { # false if one of them is not up
    local name all=0 state how url
    printf '%-10s %-15s %-10s %s\n' NAME STATE HOW ADDRESS
    for name in "${NAMES[@]}"; do
        state=$(state_of "$name")
        how=$(how_name "$name")
        url=$(given "$name" || url_of "$name")
        [ "$state" = up ] || all=1
        printf '%-10s %-15s %-10s %s\n' "$name" "$state" "${how:--}" "$(masked "${url:--}")$(pid_note "$name")"
    done
    return "$all"
}

state_of() { # NAME
    local url
    if url=$(given "$1"); then
        if url_reachable "$1" "$url"; then echo up; else echo "not reachable"; fi
    elif [ -z "$(how_of "$1")" ]; then
        echo "never up"
    elif is_paused "$1"; then
        echo paused
    elif [ "$(how_of "$1")" = process ] && ! pid_of "$1" >/dev/null; then
        echo "not running"
    elif answers "$1"; then
        echo up
    else
        echo "not answering"
    fi
}

how_name() { # NAME
    if given "$1" >/dev/null; then echo given; else how_of "$1"; fi
}

pid_note() { # NAME
    local pid
    given "$1" >/dev/null || ! pid=$(pid_of "$1") || echo "  (pid $pid, profile $(profile_of "$1"))"
}

print_env() { # only what is up: a variable for a server that is not would make waybill wait for it
    local name url
    for name in "${NAMES[@]}"; do
        if [ "$(state_of "$name")" = up ]; then
            url=$(given "$name" || url_of "$name")
            printf 'export %s=%q\n' "$("${name}_variable")" "$url"
        else
            echo "# $name is not up" >&2
        fi
    done
}

logs() {
    local follow=()
    if [ "${1:-}" = -f ]; then
        follow=(-f)
        shift
    fi
    (($# == 1)) || misuse "say whose: ${NAMES[*]}"
    known "$1"
    if [ "$(how_of "$1")" = compose ]; then
        compose logs "${follow[@]}" "$1"
    elif [ -f "$RUN/$1/log" ]; then
        tail -n +1 "${follow[@]}" "$RUN/$1/log"
    else
        begin "$1"
        give_up "it has no log here"
    fi
}
