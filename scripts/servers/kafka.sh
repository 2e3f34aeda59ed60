# shellcheck shell=bash
# Apache Kafka from Maven's jars: one node, broker and controller at once.

readonly KAFKA_HEAP=(-Xms256m -Xmx512m) # with less than 256 MB it dies without a word

kafka_title() { echo "Kafka $KAFKA_VERSION"; }
kafka_version() { echo "$KAFKA_VERSION"; }
kafka_variable() { echo WAYBILL_KAFKA_BROKERS; }
kafka_url() { echo "127.0.0.1:$1"; } # PORT
kafka_default_port() { echo 9092; }
kafka_ports() { echo 2; } # clients, controller

kafka_get() { maven_jars kafka "$KAFKA_VERSION"; }

kafka_prepare() {
    local config="$RUN/kafka/kafka.properties" data="$RUN/kafka/data" users format=()
    fill_in "$HERE/conf/kafka.properties" \
        "PORT=$PORT" "CONTROLLER_PORT=${MORE_PORTS[0]}" "DATA=$data" >"$config"
    jvm_command kafka
    if [ ! -f "$data/meta.properties" ]; then
        users=$(added kafka.users)
        if [ -n "$users" ]; then mapfile -t format <"$users"; fi
        "$JAVA" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$JARS/*" kafka.tools.StorageTool \
            format --ignore-formatted -t "$(kafka_random_id)" -c "$config" "${format[@]}" </dev/null >>"$RUN/kafka/log" 2>&1 9>&- ||
            give_up_with_log kafka "its storage could not be formatted"
    fi
    jvm_archive kafka
    COMMAND+=("${KAFKA_HEAP[@]}" -Dlog4j2.configurationFile="$HERE/conf/kafka-log4j2.xml"
        -cp "$JARS/*" kafka.Kafka "$config")
}

kafka_random_id() { # a random UUID as Kafka writes it; its own tool takes a second to make one
    printf 'A%s' "$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=' | cut -c 2-)"
}

# FindCoordinator of a group: answered without an error once the broker is registered and the
# topic of the groups' offsets exists, which the first such question creates. So the probe that
# waits for the broker also spares the first consumer group the seconds that this takes.
# InitProducerId does the same for the first idempotent producer.
kafka_answers() { # PORT
    local answer
    # Length 19, key 10, version 0, correlation 1, no client id; the group "waybill".
    answer=$(ask "$1" '\x00\x00\x00\x13\x00\x0a\x00\x00\x00\x00\x00\x01\xff\xff\x00\x07waybill' 10)
    [[ $answer == ????????000000010000 ]] || return 1
    # Length 16, key 22, version 0, correlation 2, no client id; no transaction, no time-out.
    answer=$(ask "$1" '\x00\x00\x00\x10\x00\x16\x00\x00\x00\x00\x00\x02\xff\xff\xff\xff\x00\x00\x00\x00' 14)
    [[ $answer == ????????00000002????????0000 ]]
}

kafka_stop() { jvm_stop kafka TERM "$STOP_LIMIT_S"; }
kafka_down() { jvm_down kafka; }
kafka_clean() { :; }
