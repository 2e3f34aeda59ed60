# shellcheck shell=bash
# The same servers by Docker Compose, where an engine answers and the project has a
# compose.yml with services of these names. In a Compose project of their own, so that
# `down` removes nothing but what `up` made.

readonly ENGINE_LIMIT_S=10

compose() {
    local project
    project=waybill-servers-$(cksum <<<"$DIR")
    # As a process would: the URL that `env` prints has no password.
    POSTGRES_HOST_AUTH_METHOD=trust docker compose --project-name "${project%% *}" --env-file "$HERE/versions.env" \
        --file "$ROOT/compose.yml" "$@" </dev/null 9>&-
}

compose_offered() {
    [ -f "$ROOT/compose.yml" ] && command -v docker >/dev/null &&
        timeout "$ENGINE_LIMIT_S" docker info --format '{{.ServerVersion}}' >/dev/null 2>&1 &&
        docker compose version >/dev/null 2>&1
}

compose_start() { # NAME: false, with the reason in its log, if Compose cannot
    local port
    compose unpause "$1" >>"$RUN/$1/log" 2>&1 || true # `up` leaves a paused container paused
    {
        # One at a time: side by side they would each make the project's network.
        (flock 8 && compose up --detach --no-deps "$1") 8>"$DIR/locks/compose" &&
            compose up --detach --no-deps --wait --wait-timeout "$READY_LIMIT_S" "$1" &&
            port=$(compose port "$1" "$("${1}_default_port")")
    } >>"$RUN/$1/log" 2>&1 || return 1
    "${1}_url" "${port##*:}" >"$RUN/$1/url"
}
