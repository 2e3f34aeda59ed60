# shellcheck shell=bash
# `down`: ends what was started, and leaves what was downloaded.

down() {
    local purge=no name running=() job failed=0
    while (($# > 0)); do
        case $1 in
            --purge) purge=yes ;;
            *) misuse "\`down\` ends all that was started; \"$1\" is not for it" ;;
        esac
        shift
    done
    if grep -qsx compose "$RUN"/*/how; then
        compose down --volumes --timeout "$STOP_LIMIT_S"
    fi
    for name in "${NAMES[@]}"; do
        (down_one "$name") &
        running+=($!)
    done
    for job in "${running[@]}"; do wait "$job" || failed=1; done
    [ "$failed" = 0 ] || exit 1
    if [ "$purge" = yes ]; then
        rm -rf "$DIR"
        echo "removed ${DIR#"$PWD/"}"
    fi
}

down_one() { # NAME
    begin "$1"
    lock "$1"
    [ -d "$RUN/$1" ] || return 0
    if pid_of "$1" >/dev/null; then "${1}_down"; fi
    "${1}_clean"
    rm -rf "${RUN:?}/$1"
    say "$1" "down, its data removed"
}
