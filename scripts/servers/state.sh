# shellcheck shell=bash
# What is recorded of each server, one small file a thing, in target/servers/run/NAME/:
#   how   compose | process         profile  test | bench
#   pid   pid, start time, boot     url      what `env` prints
#   log   what all its processes wrote
# Beside run/, and outliving `down`: jars/, archives/, locks/, and ports/NAME, so that what
# `env` printed once holds for the next `up` too.

readonly FIRST_PORT=20000 PORTS=12000 # below the ports that Linux lends to outgoing connections

how_of() { recorded "$1" how; }
url_of() { recorded "$1" url; }
profile_of() { recorded "$1" profile; }

recorded() { # NAME THING -> its recorded value, or nothing
    cat "$RUN/$1/$2" 2>/dev/null || true
}

given() { # NAME -> the URL that the environment gives
    local variable value ports
    variable=$("${1}_variable")
    value=${!variable:-}
    # After `eval "$(servers env)"` the variable names our own server, which stays ours.
    ports=$(cat "$DIR/ports/$1" 2>/dev/null || true)
    [ -n "$value" ] && [ "$value" != "$(url_of "$1")" ] &&
        [ "$value" != "$("${1}_url" "${ports%% *}")" ] && echo "$value"
}

port_of() { # NAME -> the port of our own server
    local url
    url=$(url_of "$1")
    [[ $url =~ 127\.0\.0\.1:([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

lock() { # NAME: held until this shell ends; whoever changes a server holds its lock
    mkdir -p "$DIR/locks"
    exec 9>"$DIR/locks/$1"
    if ! flock -n 9; then
        say "$1" "waiting for another run of this script"
        flock 9
    fi
}

choose_ports() { # NAME -> PORT, MORE_PORTS: the recorded ones, or free ones
    mkdir -p "$DIR/ports"
    (
        flock 8
        # The first start after a `down`: somebody else may have taken them meanwhile.
        if [ -f "$DIR/ports/$1" ] && { [ -f "$RUN/$1/url" ] || all_free "$1"; }; then exit; fi
        local chosen=() taken port
        taken=$(cat "$DIR"/ports/* 2>/dev/null || true)
        taken=" ${taken//$'\n'/ } "
        while ((${#chosen[@]} < $("${1}_ports"))); do
            port=$((FIRST_PORT + RANDOM % PORTS))
            if [[ "$taken ${chosen[*]} " != *" $port "* ]] && ! reachable 127.0.0.1 "$port"; then
                chosen+=("$port")
            fi
        done
        echo "${chosen[*]}" >"$DIR/ports/$1"
    ) 8>"$DIR/locks/ports"
    local more
    read -r PORT more <"$DIR/ports/$1"
    # shellcheck disable=SC2034 # for NAME_prepare
    read -ra MORE_PORTS <<<"$more"
    "${1}_url" "$PORT" >"$RUN/$1/url"
}

all_free() { # NAME
    local port ports
    read -ra ports <"$DIR/ports/$1"
    for port in "${ports[@]}"; do
        if reachable 127.0.0.1 "$port"; then return 1; fi
    done
}
