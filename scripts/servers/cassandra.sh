# shellcheck shell=bash
# Apache Cassandra from Maven's jars: one node.

cassandra_title() { echo "Cassandra $CASSANDRA_VERSION"; }
cassandra_version() { echo "$CASSANDRA_VERSION"; }
cassandra_variable() { echo WAYBILL_CASSANDRA_NODES; }
cassandra_url() { echo "127.0.0.1:$1"; } # PORT
cassandra_default_port() { echo 9042; }
cassandra_ports() { echo 2; } # clients, other nodes

cassandra_get() { maven_jars cassandra "$CASSANDRA_VERSION"; }

cassandra_prepare() {
    local config="$RUN/cassandra/cassandra.yaml" data="$RUN/cassandra/data"
    fill_in "$HERE/conf/cassandra.yaml" \
        "PORT=$PORT" "STORAGE_PORT=${MORE_PORTS[0]}" "DATA=$data" >"$config"
    cassandra_heap
    jvm_command cassandra
    jvm_archive cassandra
    # Files are named one by one: a folder in the class path would forbid the class-data archive.
    COMMAND+=("@$HERE/conf/cassandra.jvm" "${HEAP[@]}"
        -Dcassandra.config="$(file_url "$config")"
        -Dcassandra-rackdc.properties="$(file_url "$HERE/conf/cassandra-rackdc.properties")"
        -Dlogback.configurationFile="$HERE/conf/cassandra-logback.xml"
        -Dcassandra.storagedir="$data"
        -Dcassandra-foreground=yes
        -Djdk.attach.allowAttachSelf=true
        # Alone, it has nobody to wait for.
        -Dcassandra.ring_delay_ms=100
        -Dcassandra.skip_wait_for_gossip_to_settle=0
        # Where it asks for logins, its first user is there at once.
        -Dcassandra.superuser_setup_delay_ms=0
        # Otherwise it measures this, in a loop of a second, at every start.
        -Dcassandra.memtable.row_overhead_size=180
        -cp "$JARS/*" org.apache.cassandra.service.CassandraDaemon)
}

cassandra_heap() { # -> HEAP, recorded with the profile so that a restart gets the same
    local file="$RUN/cassandra/heap" size
    if [ ! -f "$file" ]; then
        size=${SERVERS_CASSANDRA_HEAP:-}
        if [ -n "$size" ] && [[ ! $size =~ ^[0-9]+[mMgG]$ ]]; then
            give_up "SERVERS_CASSANDRA_HEAP is \"$size\"; it should be like 768m or 2g"
        fi
        if [ "$(profile_of cassandra)" = bench ]; then
            echo "-Xms${size:-1g} -Xmx${size:-1g}" >"$file"
        else
            echo "-Xms256m -Xmx${size:-768m}" >"$file"
        fi
    fi
    read -ra HEAP <"$file"
}

file_url() { echo "file://${1// /%20}"; } # PATH

cassandra_answers() { # PORT: asks for its OPTIONS (protocol 4), expects SUPPORTED
    [ "$(ask "$1" '\x04\x00\x00\x00\x05\x00\x00\x00\x00' 5)" = 8400000006 ]
}

cassandra_stop() { jvm_stop cassandra TERM "$STOP_LIMIT_S"; }
cassandra_down() { jvm_down cassandra; }
cassandra_clean() { :; }
