# `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run demo test torture planted scale bench bench-long record lint deny fmt up down

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

run: ## Run the pipeline, embedded
	cargo run --release

demo: ## Watch it work
	cargo run --release -- demo

# Ours, which `make test` starts; a URL of the environment is used as it is.
SERVERS = scripts/servers/servers

# FEATURES=kafka-tls for TLS to Kafka, which needs OpenSSL's headers. What is tested has crash points
# (infra::crash), and what is run has none.
WITH = --features "crash-points $(FEATURES)"

# Keys of the environment are of somebody's pipeline, and not of one under test.
NO_KEYS = env $$(env | sed -n 's/^\(WAYBILL_[A-Z0-9_]*\)=.*/-u \1/p')

# Tests of overload compare how long requests take, and so have the machine for themselves.
test: ## Run every test, on real servers where they can be had
	$(SERVERS) up
	eval "$$($(SERVERS) env | sed 's/WAYBILL_/TEST_/')" && \
	$(NO_KEYS) cargo test --workspace --locked $(WITH) && \
	$(NO_KEYS) cargo test --workspace --locked $(WITH) --test it -- --ignored --test-threads=1 overload::

# SEED repeats a run that printed it.
torture: ## Break everything for an hour and more, plant bugs, and report
	$(SERVERS) up
	eval "$$($(SERVERS) env | sed 's/WAYBILL_/TEST_/')" && $(NO_KEYS) FEATURES="$(FEATURES)" scripts/torture

# The program has the bugs in it, so it is built once more; what is shipped never has.
planted: ## Plant bugs in the program, one after the other, and show that each is seen
	$(SERVERS) up
	eval "$$($(SERVERS) env | sed 's/WAYBILL_/TEST_/')" && $(NO_KEYS) cargo test --workspace --locked --features "crash-points planted-bugs $(FEATURES)" --test it planted:: -- --nocapture --test-threads=1

scale: ## Kill it with 100,000 orders, rebuild a view of 200,000 on both stacks (takes an hour)
	$(SERVERS) up
	eval "$$($(SERVERS) env | sed 's/WAYBILL_/TEST_/')" && $(NO_KEYS) cargo test --workspace --locked $(WITH) --test it -- --ignored --nocapture --test-threads=1 scale

# ROW=append, ROW=A2 or ROW=A2-256 is that alone. Servers that are measured run as in production, and
# not as those of tests: `make down` first, where those are up.
BENCH = cargo run --release --locked -p bench -- $(if $(ROW),--row $(ROW))
ON_SERVERS = --postgres "$$BENCH_POSTGRES_URL" --kafka "$$BENCH_KAFKA_BROKERS" --cassandra "$$BENCH_CASSANDRA_NODES"
define measure
	REQUIRE_SERVERS=1 $(SERVERS) up --bench
	eval "$$($(SERVERS) env | sed 's/WAYBILL_/BENCH_/')" && $(NO_KEYS) $(BENCH) $(ON_SERVERS) $(1)
endef

bench: ## Measure it beside its servers (20 minutes; ROW=append is that alone)
	$(call measure)

bench-long: ## The same with all rows (takes 90 minutes, and 20 GB)
	$(call measure,--long)

record: ## Record the logs and views of this version anew
	cargo test --workspace --test it --locked -- --ignored recorded::run

lint: ## Check format and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked $(WITH) -- -D warnings

deny: ## Check the licences and sources of dependencies (needs cargo-deny)
	cargo deny check licenses bans sources

fmt: ## Format the code
	cargo fmt --all

up: ## Start real servers to play with
	scripts/servers/servers up

down: ## Stop them
	scripts/servers/servers down
