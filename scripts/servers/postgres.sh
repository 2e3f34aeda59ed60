# shellcheck shell=bash
# PostgreSQL from Debian's package. It refuses to run as root: then it runs as the user
# `postgres`, whose data is put outside the checkout if that user cannot enter it.

postgres_title() { echo "PostgreSQL $POSTGRES_MAJOR"; }
postgres_variable() { echo WAYBILL_POSTGRES_URL; }
postgres_url() { echo "postgres://postgres@127.0.0.1:$1/postgres"; } # PORT
postgres_default_port() { echo 5432; }
postgres_ports() { echo 1; }

postgres_get() {
    POSTGRES_BIN=/usr/lib/postgresql/$POSTGRES_MAJOR/bin
    if [ -x "$POSTGRES_BIN/initdb" ]; then return; fi
    # Debian's package makes and starts a cluster of its own on port 5432: not here.
    install_packages postgres postgresql-common
    # shellcheck disable=SC2016 # expanded by the inner shell
    as_root sh -c 'grep -qs "^create_main_cluster" "$1" || echo "create_main_cluster = false" >>"$1"' \
        sh /etc/postgresql-common/createcluster.conf
    install_packages postgres "postgresql-$POSTGRES_MAJOR"
    [ -x "$POSTGRES_BIN/initdb" ] || give_up "there is no initdb in $POSTGRES_BIN"
}

postgres_prepare() {
    local data more
    postgres_folder
    data="$FOLDER/data"
    if [ ! -d "$data" ]; then
        rm -rf "$data.part"
        # Not synced: what initdb writes is nobody's data. The server itself syncs.
        as_postgres "$POSTGRES_BIN/initdb" -D "$data.part" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
            </dev/null >>"$RUN/postgres/log" 2>&1 || give_up_with_log postgres "initdb failed"
        mv "$data.part" "$data"
    fi
    forget_dead_postmaster "$data"
    # Written over in place, so that the file stays the server's own.
    fill_in "$HERE/conf/postgresql.conf" "PORT=$PORT" >"$data/postgresql.conf"
    more=$(added postgres)
    if [ -n "$more" ]; then
        # It takes no key that somebody else owns or may read.
        install --mode=600 ${AS_POSTGRES:+--owner=postgres --group=postgres} "$more"/* "$data"
    fi
    # shellcheck disable=SC2034 # for start_process
    COMMAND=(env --chdir="$data" "${AS_POSTGRES[@]}" "$POSTGRES_BIN/postgres" -D "$data")
}

postgres_folder() { # -> FOLDER, AS_POSTGRES: where its data is and as whom it runs
    AS_POSTGRES=()
    FOLDER="$RUN/postgres/files"
    if [ "$(id -u)" = 0 ]; then
        id postgres >/dev/null 2>&1 || give_up "it refuses to run as root, and there is no user postgres"
        AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --init-groups)
    fi
    if [ -f "$RUN/postgres/folder" ]; then
        FOLDER=$(cat "$RUN/postgres/folder")
        return
    fi
    mkdir -p "$FOLDER"
    if [ "$(id -u)" = 0 ]; then
        if ! as_postgres test -x "$FOLDER"; then
            # Not /tmp, which may be memory: tests measure and trust its fsync.
            FOLDER=$(mktemp -d /var/tmp/waybill-postgres.XXXXXX)
        fi
        chown postgres: "$FOLDER"
    fi
    echo "$FOLDER" >"$RUN/postgres/folder"
}

# PostgreSQL will not start while the process in its lock file exists, and a killed one exists
# until an init process buries it. `kill` has seen to it that its children are gone too.
forget_dead_postmaster() { # DATA
    local pid state
    { read -r pid <"$1/postmaster.pid"; } 2>/dev/null || return 0
    read -r state _ < <(process_state "$pid") || return 0
    if [ "$state" = Z ]; then rm "$1/postmaster.pid"; fi
}

as_postgres() { # from /, since it may not be allowed to be where we are
    (cd / && "${AS_POSTGRES[@]}" "$@")
}

postgres_answers() { # PORT
    local bin=/usr/lib/postgresql/$POSTGRES_MAJOR/bin/pg_isready
    [ -x "$bin" ] || bin=pg_isready
    # Through Compose there may be no client here; the container's health check has asked then.
    if ! command -v "$bin" >/dev/null; then
        reachable 127.0.0.1 "$1"
        return
    fi
    "$bin" -q -h 127.0.0.1 -p "$1" -U postgres -t "$PROBE_LIMIT_S"
}

postgres_stop() { # SIGTERM would wait until the last client hangs up; SIGINT is its "fast shutdown"
    end_gently postgres INT "$STOP_LIMIT_S"
}

postgres_down() { # SIGQUIT ends at once but gives its shared memory back, which SIGKILL does not
    end_gently postgres QUIT "$STOP_LIMIT_S" || kill_hard postgres || true
}

postgres_clean() {
    local folder
    folder=$(cat "$RUN/postgres/folder" 2>/dev/null || true)
    if [[ $folder == /var/tmp/waybill-postgres.?????? ]]; then rm -rf "$folder"; fi
}
