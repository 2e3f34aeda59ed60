# shellcheck shell=bash
# Redis from Debian's package, as a cache: it keeps nothing.

redis_title() { echo "Redis $REDIS_MAJOR"; }
redis_variable() { echo WAYBILL_REDIS_URL; }
redis_url() { echo "redis://127.0.0.1:$1/0"; } # PORT
redis_default_port() { echo 6379; }
redis_ports() { echo 1; }

redis_get() {
    if command -v redis-server >/dev/null; then return; fi
    install_packages redis redis-server
    command -v redis-server >/dev/null || give_up "its package is installed, but there is no redis-server in PATH"
}

redis_prepare() {
    mkdir -p "$RUN/redis/data"
    fill_in "$HERE/conf/redis.conf" "PORT=$PORT" "DATA=$RUN/redis/data" >"$RUN/redis/redis.conf"
    # shellcheck disable=SC2034 # for start_process
    COMMAND=(redis-server "$RUN/redis/redis.conf")
}

redis_answers() { # PORT
    local answer
    answer=$(ask "$1" 'PING\r\n' 5)
    [ "$answer" = 2b504f4e47 ] || [ "$answer" = 2d4e4f4155 ] # +PONG, or -NOAUTH where it wants a login
}

redis_stop() { end_gently redis TERM "$STOP_LIMIT_S"; }
redis_down() { kill_hard redis || true; }
redis_clean() { :; }
