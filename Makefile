# Everything a person or a machine does with Quintet. It needs Python 3.11 or later with venv, and make.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header pyproject.toml

.PHONY: help
help:
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: .venv
.venv: .venv/.installed

# The stamp makes this happen only when the lock has changed.
.venv/.installed: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Quintet needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Name another with PYTHON=.")'
	@echo "Making the environment in .venv …"
	@test -x $(BIN)/python || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--config-settings editable_mode=compat --editable .
	@touch $@

.PHONY: run
run: .venv ## start everything on http://127.0.0.1:8000 (PORT= changes it); Ctrl-C ends it
	@$(BIN)/python -m environments.local

.PHONY: reset
reset: .venv ## remove the data that `make run` keeps
	@$(BIN)/python -m environments.local reset

.PHONY: test
test: .venv ## run every test, on a PostgreSQL of its own
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: check
check: .venv ## check format, style, types and who imports what
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: .venv ## write the code as `make check` wants it
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: faults
faults: .venv ## kill, hang and empty everything, and prove that no job is lost or doubled
	@$(BIN)/python -m pytest e2e/faults -m alone --quiet
	@$(BIN)/python -m pytest e2e/faults -m "not alone" --numprocesses 4 --dist load --maxschedchunk 1 --quiet

.PHONY: fuzz
fuzz: .venv ## try all that the API's document promises, and what it does not; some minutes
	@$(BIN)/python -m e2e.fuzz

.PHONY: bench
bench: .venv ## measure speed and memory against limits, as ratios (BIG=1 goes to 10 million)
	@for each in flows_parse flows_import flows_upload search_latency collection_speed servers; do $(BIN)/python bench/$$each.py; done
	@$(BIN)/python -m bench.jobs

.PHONY: screenshots
screenshots: .venv ## picture every page in screenshots/, and fail on what a browser finds wrong
	@$(BIN)/python e2e/screenshots.py $(URL)

.PHONY: migration
migration: .venv ## write a migration from the models' difference to the database (MESSAGE=)
	@$(BIN)/quintet database revision "$(or $(MESSAGE),$(error MESSAGE= says what changes))"

.PHONY: lock
lock: .venv ## lock the versions of all dependencies again, from pyproject.toml
	$(COMPILE) --output-file requirements/backend.txt
	$(COMPILE) --extra worker --output-file requirements/worker.txt
	$(COMPILE) --extra dev --extra worker --output-file requirements/dev.txt
	$(COMPILE) --extra bench --output-file requirements/bench.txt
