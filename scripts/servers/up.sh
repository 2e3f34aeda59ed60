# shellcheck shell=bash
# `up`: every server at once, each in a shell of its own, and none stops the others.

up() {
    local names=() missing=() from profile=test name job
    declare -A jobs=()
    while (($# > 0)); do
        case $1 in
            --bench) profile=bench ;;
            *) known "$1" && names+=("$1") ;;
        esac
        shift
    done
    ((${#names[@]} > 0)) || names=("${NAMES[@]}")
    from=$(now_ms)
    # Containers have settings of their own, to which nothing is added.
    if [ -z "${SERVERS_SETTINGS:-}" ] && compose_offered; then COMPOSE=yes; else COMPOSE=no; fi
    for name in "${names[@]}"; do
        (up_one "$name" "$profile") &
        jobs[$name]=$!
    done
    trap 'kill "${jobs[@]}" 2>/dev/null; exit 130' INT TERM
    for name in "${names[@]}"; do
        job=${jobs[$name]}
        wait "$job" || missing+=("$name")
    done
    if ((${#missing[@]} == 0)); then
        echo "${#names[@]} of ${#names[@]} servers are up, after $(seconds_since "$from"); data and logs: ${DIR#"$PWD/"}"
        return
    fi
    echo "NOT UP: ${missing[*]} (reasons above);" \
        "up: $((${#names[@]} - ${#missing[@]})) of ${#names[@]}" >&2
    [ "${REQUIRE_SERVERS:-}" != 1 ] || exit 1
}

up_one() { # NAME PROFILE
    local url
    begin "$1"
    if url=$(given "$1"); then
        url_reachable "$1" "$url" ||
            give_up "$("${1}_variable") names $(masked "$url"), where nothing listens (unset it to have one started)"
        say "$1" "found, given in $("${1}_variable"): $(masked "$url")"
        return
    fi
    lock "$1"
    mkdir -p "$RUN/$1"
    choose_profile "$1" "$2"
    bring_up "$1"
}

choose_profile() { # NAME PROFILE: a measured server stays one until `down`
    if [ -n "$(profile_of "$1")" ] && { [ "$2" = test ] || [ "$(profile_of "$1")" = bench ]; }; then return; fi
    if pid_of "$1" >/dev/null; then
        give_up "it runs without --bench; run \`servers down\` first"
    fi
    echo "$2" >"$RUN/$1/profile"
    rm -f "$RUN/$1/heap"
}

bring_up() { # NAME: whatever state it is in, it answers afterwards
    local from by="as a process"
    from=$(now_ms)
    if pid_of "$1" >/dev/null; then
        if is_paused "$1"; then
            signal_tree CONT "$1"
            say "$1" resumed
        fi
        await_answer "$1" || no_answer "$1"
        say "$1" "already up: $(url_of "$1")"
        return
    fi
    case $(how_of "$1") in
        compose) compose_start "$1" || give_up_with_log "$1" "Docker Compose could not start it" ;;
        process) start_process "$1" ;;
        *) first_start "$1" ;;
    esac
    if ! await_answer "$1"; then
        worth_another_try "$1" || no_answer "$1"
        start_process "$1"
        await_answer "$1" || no_answer "$1"
    fi
    [ "$(how_of "$1")" = process ] || by="by Docker Compose"
    say "$1" "up in $(seconds_since "$from"), $("${1}_title") $by: $(url_of "$1")"
}

first_start() { # NAME
    FRESH=yes
    if [ "$COMPOSE" = yes ]; then
        echo compose >"$RUN/$1/how"
        if compose_start "$1"; then return; fi
        say "$1" "Docker Compose could not start it, so a process has to do; \`servers logs $1\` says why"
        compose rm --force --stop "$1" >>"$RUN/$1/log" 2>&1 || true
        rm "$RUN/$1/how"
    fi
    start_process "$1"
}

start_process() { # NAME
    "${1}_get"
    echo process >"$RUN/$1/how"
    choose_ports "$1"
    "${1}_prepare"
    launch "$1" "${COMMAND[@]}"
}

await_answer() { # NAME: false if it ended, or took too long
    local end=$(($(now_ms) + READY_LIMIT_S * 1000))
    until answers "$1"; do
        runs "$1" && (($(now_ms) < end)) || return 1
        sleep 0.1
    done
    runs "$1" # or else somebody else has answered
}

runs() { # NAME
    [ "$(how_of "$1")" = compose ] || pid_of "$1" >/dev/null
}

worth_another_try() { # NAME: it ended, and what may have ended it is out of the way now
    local end
    if runs "$1"; then return 1; fi
    end=$(tail -n 50 "$RUN/$1/log")
    # Between the choice of a port and the start somebody else may take it. Only while there is
    # no data: later its clients know the port.
    if [[ $FRESH = yes && ${end,,} =~ address\ (already\ )?in\ use|could\ not\ bind|bindexception ]]; then
        say "$1" "its port was taken meanwhile: another one"
        rm -f "$DIR/ports/$1" "$RUN/$1/url"
    # Java does not survive a class-data archive that is cut off.
    elif [[ $end == *"fatal error has been detected by the Java Runtime"* ]]; then
        say "$1" "Java crashed: once more without the class-data archive"
        rm -f "$(archive_path "$1")"
    else
        return 1
    fi
}

no_answer() { # NAME
    runs "$1" || give_up_with_log "$1" "it ended while it started"
    kill_hard "$1" || true
    give_up_with_log "$1" "it did not answer within $READY_LIMIT_S s, and was ended"
}

fill_in() { # TEMPLATE NAME=VALUE.. -> the template, and what is added to it, with each @NAME@ replaced
    local text pair more
    text=$(<"$1")
    more=$(added "${1##*/}")
    if [ -n "$more" ]; then text+=$'\n'$(<"$more"); fi
    shift
    for pair in "$@"; do text=${text//"@${pair%%=*}@"/"${pair#*=}"}; done
    printf '%s\n' "$text"
}

added() { # FILE -> the path of what SERVERS_SETTINGS adds under this name, or nothing
    local file="${SERVERS_SETTINGS:-}/$1"
    if [ -n "${SERVERS_SETTINGS:-}" ] && [ -e "$file" ]; then echo "$file"; fi
}
