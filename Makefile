# Bearpit. It takes Python 3.11 or newer and make; all else is set up here, once. `make help` lists the commands.

PYTHON ?= python3
BIN := .venv/bin
PROTOS := $(wildcard protos/bearpit/v1/*.proto)
TYPED := protos server tui admin_cli tests
SETUP := .venv/.installed .venv/.stubs

.DEFAULT_GOAL := help
.PHONY: help play serve test check bench protos permissions breaking lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

play: $(SETUP) ## play on this machine: server, demo game, house bots, your screen (ARGS="--name ada")
	@$(BIN)/bearpit-admin play $(ARGS)

serve: $(SETUP) ## run a server only (ARGS="--address 0.0.0.0:7117")
	@$(BIN)/bearpit-server serve $(ARGS)

test: $(SETUP) ## run all tests against a real PostgreSQL (ARGS="-k ipo")
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(SETUP) ## format, lint, types, import contracts, protos; takes seconds
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports --no-logo
	$(BIN)/buf lint protos

bench: $(SETUP) ## measure against the yardsticks; writes bench.json (ONLY=book for one)
	$(BIN)/python -m tests.bench $(ONLY)

protos: .venv/.installed ## generate the gRPC stubs again
	$(BIN)/python protos/build.py
	@touch .venv/.stubs

permissions: $(SETUP) ## write server/PERMISSIONS.md anew, from the tables of roles and calls
	$(BIN)/python -m bearpit_server.services.permission_page

breaking: $(SETUP) ## tell whether the protos still fit clients of an earlier version (SINCE=v0.1)
	$(BIN)/buf breaking protos --against ".git#ref=$(or $(SINCE),HEAD),subdir=protos"

lock: $(SETUP) ## write requirements.lock anew, from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --extra dev --extra bench --upgrade pyproject.toml -o requirements.lock

clean: ## remove what was made here: the environment, stubs, caches; never a game
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist bench.json
	rm -f protos/bearpit/v1/*_pb2*.py protos/bearpit/v1/*_pb2*.pyi

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Bearpit takes Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

# The stamps are newer than what they were made from, or it is done again.
.venv/.installed: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@ .venv/.stubs

.venv/.stubs: $(PROTOS) protos/build.py | .venv/.installed
	$(BIN)/python protos/build.py
	@touch $@
