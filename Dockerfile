# One image for every role and tool: `docker run waybill` has the whole pipeline on a store in a
# volume, and compose.yml runs each role by itself on servers.

# rust-toolchain.toml names the same version, and is left out: it would fetch tools for developers.
FROM rust:1.95.0-bookworm AS build
# What librdkafka is built from, and OpenSSL for TLS to Kafka.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc g++ make pkg-config libssl-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --features kafka-tls --bin waybill \
    && strip --strip-debug target/release/waybill

FROM debian:bookworm-slim
# ca-certificates: for servers with certificates of a public authority.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 waybill \
    && useradd --uid 10001 --gid 10001 --create-home --home-dir /data waybill
COPY --from=build /src/target/release/waybill /usr/local/bin/
COPY scripts/image/waybill-ready /usr/local/bin/
# A container is reached from outside of it; what is published where is for who runs it to say.
ENV WAYBILL_COMMAND_ADDR=0.0.0.0:8080 \
    WAYBILL_QUERY_ADDR=0.0.0.0:8081 \
    WAYBILL_PROJECTORS_ADDR=0.0.0.0:8082 \
    WAYBILL_DATA_DIR=/data/waybill-data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080 8081 8082
HEALTHCHECK --interval=5s --timeout=5s --retries=12 CMD ["waybill-ready", "8080"]
ENTRYPOINT ["waybill"]
CMD ["serve"]
