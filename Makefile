# muxd: `make start` shows it at work, `make test` proves it. Both set up all they need.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
TOOLS := $(VENV)/.tools
PIP := -m pip install -q --disable-pip-version-check
PLUGINS := $(sort $(wildcard plugins/*/pyproject.toml))
EDITABLE := -e . $(addprefix -e ,$(patsubst %/pyproject.toml,%,$(PLUGINS)))
# What builds the six packages, once and not in an environment for each.
BUILD := hatchling editables
# More than there are processors: many tests wait for processes most of the time.
WORKERS ?= 3
TESTS := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# Those that need nobody beside them. A set of jobs is what slotting.py needs.
BENCHES := run idle core scale ledger bridge launching blocking tracing recycling flat

.PHONY: help setup packages start test nightly bench bench-all lint types docs clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make the environment in .venv and make sure of a browser
	@$(BIN)/muxd browser install

$(STAMP): pyproject.toml $(PLUGINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "muxd needs Python 3.11 or later: name one by make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	      apt-get update -q && apt-get install -qy python3-venv && $(PYTHON) -m venv $(VENV); \
	    else echo "python3 has no venv module: apt-get install python3-venv"; exit 1; fi; }
	@$(BIN)/python $(PIP) --upgrade 'pip>=25.1'
	@$(BIN)/python $(PIP) $(BUILD)
	@$(BIN)/python $(PIP) --no-build-isolation $(EDITABLE)
	@touch $@

$(TOOLS): $(STAMP)
	@$(BIN)/python $(PIP) --group dev --group docs --group types
	@touch $@

packages: # muxd, its plugins and what tests need on every Python, in the environment BIN
	@$(BIN)/python $(PIP) $(BUILD)
	@$(BIN)/python $(PIP) --no-build-isolation --group tests $(EDITABLE)

start: setup ## Run the demo: sixteen jobs on one browser, an hour a minute
	@$(BIN)/muxd start --speed 60

test: setup $(TOOLS) lint ## Lint, types, all tests but the nightly ones
	@$(BIN)/muxd browser install --engine headless-shell
	@$(MAKE) --no-print-directory types & types=$$!; trap 'kill $$types 2>/dev/null' EXIT; \
	  $(TESTS); tested=$$?; \
	  wait $$types || { echo "a type checker has found something: make types"; exit 1; }; \
	  exit $$tested

nightly: setup $(TOOLS) ## Tests that take long, 100,000 simulated days with faults, 5,000 kills
	@$(BIN)/muxd browser install --engine headless-shell
	$(TESTS) -m nightly
	MUXD_CRASHES=$${MUXD_CRASHES:-5000} $(BIN)/python -m pytest -q tests/crash/test_crash_consistency.py
	$(BIN)/python -m tests.simulation --days $${MUXD_SIMULATED_DAYS:-100000}

bench: setup $(TOOLS) ## Measure muxd beside other ways to run the same job
	$(BIN)/python contrib/bench/all.py

bench-all: bench ## Measure all else of muxd too, one after another: some hours
	@failed=; for each in $(BENCHES); do \
	  told=build/bench/$$each.txt; echo "contrib/bench/$$each.py: $$told"; date -I > $$told; \
	  $(BIN)/python contrib/bench/$$each.py >> $$told 2>&1 || failed="$$failed $$each"; \
	done; test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

docs: $(TOOLS) ## Build the documentation in site/, with warnings as errors
	@$(BIN)/zensical build --clean --strict

lint: $(TOOLS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(TOOLS) # both on a plugin that uses all of the public API, too
	$(BIN)/mypy
	$(BIN)/basedpyright --project tests/typing --pythonpath $(BIN)/python

clean: ## Remove the environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
