# What a developer and CI call. `make setup` leaves a virtual environment in .venv and
# does nothing when nothing changed.

PYTHON ?= python3
BIN := .venv/bin
STAMPS := .make
CARGO := $(shell command -v cargo 2>/dev/null)
CRATES := otlp-arrow otlp-grpc
# A toolchain that comes later is noticed.
NATIVE := $(if $(CARGO),$(CRATES),fallback)
sources = $(wildcard $(addprefix collector/$1/,Cargo.* pyproject.toml *.pyi)) $(shell find collector/$1/src -name '*.rs' 2>/dev/null)

.PHONY: setup serve servers stack demo test test-languages chaos bench bench-insights check format fuzz lock generated clean

setup: $(STAMPS)/python $(NATIVE:%=$(STAMPS)/%)

$(STAMPS)/python: pyproject.toml requirements.lock
	@mkdir -p $(STAMPS)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing dependencies"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(foreach crate,$(CRATES),$(eval $(STAMPS)/$(crate): $(call sources,$(crate))))
$(CRATES:%=$(STAMPS)/%): $(STAMPS)/%: $(STAMPS)/python
	@echo "building $*"
	@rm -rf $(STAMPS)/wheels/$*
	@$(BIN)/maturin build --quiet --release --locked --manifest-path collector/$*/Cargo.toml --interpreter $(BIN)/python --out $(STAMPS)/wheels/$*
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall $(STAMPS)/wheels/$*/*.whl
	@touch $@

# Without a Rust toolchain pure Python decodes and grpcio listens, as the collector says at start.
$(STAMPS)/fallback: $(STAMPS)/python
	@echo "no Rust toolchain: the collector will use its slower decoder and gRPC server"
	@touch $@

serve: setup
	@$(BIN)/glasshouse serve

# Real servers that tests talk to, from Debian's packages where they are not there yet. Root alone can install them;
# for others the tests that need one are skipped, and say so.
MISSING := $(strip $(if $(shell command -v promtool),,prometheus) $(if $(shell command -v amtool),,prometheus-alertmanager) \
  $(if $(shell command -v redis-server),,redis-server) $(if $(wildcard /usr/sbin/haproxy),,haproxy) $(if $(wildcard /usr/lib/postgresql/*/bin/postgres),,postgresql))
servers:
ifneq ($(and $(MISSING),$(shell command -v apt-get)),)
ifeq ($(shell id -u),0)
	@echo "installing $(MISSING)"
	@apt-get update -qq
	@DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(MISSING) >/dev/null
else
	@echo "not installed: $(MISSING); tests that need them are skipped (sudo make servers installs them)"
endif
endif

# The collector beside Prometheus and Alertmanager, with the configuration of alerts/. STACK="--any-port" gives it options.
stack: setup servers
	@$(BIN)/python -m glasshouse_alerts.stack $(STACK)

# A small shop with a collector, visitors and faults on request. DEMO="--any-port" gives it options.
demo: setup
	@$(BIN)/glasshouse demo $(DEMO)

# Three processes keep two cores busy, as tests wait for what they start; and what they start need not be compiled
# again each time, whatever the environment says.
test: setup servers
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 3 --dist worksteal -m "not languages"

# Senders in other languages, whose libraries come from their own registries.
test-languages: setup
	@$(MAKE) --no-print-directory -C tests/languages
	$(BIN)/pytest -m languages tests/languages

# Kills the collector again and again, at last with an application that sends to it, and counts what arrived.
chaos: setup
	PYTHONPATH=tests/support $(BIN)/python tests/chaos/chaos.py --kills 200 --store embedded
	PYTHONPATH=tests/support $(BIN)/python tests/chaos/chaos.py --kills 60 --store http
	PYTHONPATH=tests/support $(BIN)/python tests/chaos/outage.py --seconds 60
	PYTHONPATH=tests/support $(BIN)/python tests/chaos/application_outage.py --seconds 60

# Holds the native decoder equal to protobuf's own parser, and the API to its description, on much that is made up.
fuzz: setup
	$(BIN)/python tests/codec/fuzz.py --seconds 300
	GLASSHOUSE_TEST_EXAMPLES=500 $(BIN)/pytest -n 2 --timeout 3600 tests/hostile

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The locked versions of everything, dev tools included, for Python 3.11 and later.
lock:
	$(BIN)/pip-compile --quiet --allow-unsafe --strip-extras --extra all --extra collector --extra dev --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --no-annotate --output-file requirements.lock pyproject.toml

# The files that are made of code: the collector's metrics, the dashboards, the rules of objectives, the client.
generated: setup
	@$(BIN)/python -m glasshouse_collector.core.metrics_document > docs/metrics.md
	@$(BIN)/python -m glasshouse_dashboards
	@$(BIN)/glasshouse slo generate
	@$(BIN)/python -m glasshouse_collector.client_code

clean:
	rm -rf .venv $(STAMPS) $(CRATES:%=collector/%/target) tests/languages/*/target tests/languages/node/node_modules

# The collector beside its peer, in turns. BENCH=--quick takes a look; BENCH="queries disk" measures some.
bench: setup $(STAMPS)/bench
	$(BIN)/python benchmarks/run.py $(BENCH)

# The analysis of incidents against faults whose cause is known: Train Ticket's recordings (TRAINTICKET=FOLDER), with
# SHOP=1 the shop's faults too. INSIGHTS="quiet scale" measures other parts, and gives options.
bench-insights: setup
	@$(BIN)/python benchmarks/bench_insights.py $(or $(INSIGHTS),trainticket $(if $(SHOP),shop))

$(STAMPS)/bench: benchmarks/requirements.txt $(STAMPS)/python
	@$(BIN)/pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@
