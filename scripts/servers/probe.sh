# shellcheck shell=bash
# Asking a server whether it answers, with nothing but bash.

readonly PROBE_LIMIT_S=2

reachable() { # HOST PORT: somebody listens there
    # shellcheck disable=SC2016 # expanded by the inner shell
    timeout "$PROBE_LIMIT_S" bash -c ': <"/dev/tcp/$1/$2"' bash "$1" "$2" 2>/dev/null
}

ask() { # PORT REQUEST COUNT -> the first COUNT bytes of the answer, in hex
    (
        exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 0
        printf '%b' "$2" >&3
        timeout "$PROBE_LIMIT_S" head -c "$3" <&3 | od -An -v -tx1 | tr -d ' \n'
    ) 2>/dev/null
}

answers() { # NAME: our own server serves its protocol
    local port
    port=$(port_of "$1") && "${1}_answers" "$port"
}

url_reachable() { # NAME URL: one of the places in a URL from outside is listened at
    local rest=${2#*://} place host port
    rest=${rest%%[/?]*}
    rest=${rest##*@}
    for place in ${rest//,/ }; do
        host=$place
        port=$("${1}_default_port")
        if [[ $place =~ ^\[?([^]]*)\]?:([0-9]+)$ ]]; then
            host=${BASH_REMATCH[1]}
            port=${BASH_REMATCH[2]}
        fi
        if reachable "$host" "$port"; then return; fi
    done
    return 1
}

masked() { # URL -> the URL without its password and its options
    local url=${1%%\?*}
    if [[ $url =~ ^([a-z]+://[^:@/]*):.*@([^@]*)$ ]]; then
        url="${BASH_REMATCH[1]}:***@${BASH_REMATCH[2]}"
    fi
    echo "$url"
}
