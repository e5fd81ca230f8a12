# Everything a fresh machine needs: Python 3.11 or newer, make, and a network to its package registries.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
export TEXTUAL_ANIMATIONS = none

.PHONY: help demo test test-long lint format bench bench-quick peers pictures wheel servers clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("gigadeck needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt hatchling editables
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[dev]'
	touch $@

demo: $(READY) ## the console on the emulator: 4 sites, 400,000 GPUs
	@$(BIN)/gigadeck demo $(ARGS)

servers: ## the real servers that tests talk to, from Debian's packages, where they can be installed
	@sh scripts/install-servers.sh

lint: $(READY) ## ruff, mypy strict, the architecture's contracts
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

test: $(READY) servers lint ## everything in under ten minutes on two cores
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m 'not long'

test-long: $(READY) servers ## soak, 100,000 series, 1,000,000 GPUs
	$(BIN)/python -m pytest -m long --timeout 3600

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) servers peers ## the table of docs/benchmarks, as ratios measured in one run
	$(BIN)/python -m bench

bench-quick: $(READY) ## the part of it that takes under three minutes, beside the last committed run of it
	$(BIN)/python -m bench --quick

peers: ## what `make bench` measures side by side with the console, where it can be had
	@PYTHON=$(PYTHON) sh scripts/install-peers.sh $(VENV)-peers

pictures: $(READY) ## the pictures of the README, from the console on the emulator
	$(BIN)/python scripts/make_pictures.py

wheel: $(READY) ## build dist/gigadeck-*.whl and try it in an empty environment
	rm -rf dist
	$(BIN)/python -m hatchling build -t wheel
	PYTHON=$(PYTHON) sh scripts/try-wheel.sh dist/*.whl

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
