# The main commands are `make compare` and `make test`. Each makes .venv first if it is missing or if
# constraints.txt or pyproject.toml has changed. Requirements: Python 3.11 or newer, and make.

PYTHON ?= $(shell python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3)
BIN := .venv/bin
# Written last: a .venv without this file is incomplete (or not ours) and is made again from scratch.
STAMP := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help setup compare test lint bench clean

help:     ## show this list
	@sed -n 's/^\([a-z]*\): .*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(STAMP) ## make .venv with all packages that constraints.txt pins

compare: $(STAMP) ## compare a learned policy with the tuned classics on four plants
	$(BIN)/python scripts/compare.py lost-sales content-studio kanban-line recorded-retail \
		--agents kanban conwip base-stock conwip-hot eoq constant smoothed learned \
		--periods 4000000

test: lint ## check style, types and imports, then run all tests
	$(BIN)/pytest -n 2 --dist worksteal

lint: $(STAMP) ## check style, types and imports only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(STAMP) ## measure start-up and speed
	$(BIN)/python scripts/bench.py

clean:    ## remove caches and builds; keep .venv and results
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find agents jitgym scripts tests -name __pycache__ -prune -exec rm -rf {} +

$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "make setup: $(PYTHON) is missing or older than Python 3.11; install it, or name one: make setup PYTHON=..." >&2; exit 1; }
	@if [ -f $@ ]; then rm $@; else $(PYTHON) -m venv --clear .venv; fi
	$(BIN)/python -m pip install -c constraints.txt hatchling
	$(BIN)/python -m pip install -c constraints.txt --no-build-isolation -e '.[dev]'
	$(BIN)/python scripts/compile.py
	@touch $@
