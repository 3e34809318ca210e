# Each target does its own set-up into .venv and is quick the second time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL ?= simulated/demo
REPORT ?= evenhand-demo
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test test-slow test-extras check bench format docs clean help

help:  ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Evenhand needs Python 3.11 or newer; this is $$($(PYTHON) -V). Set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Evenhand into $(VENV) (once)"
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Evenhand and its development tools into $(VENV) (once)"
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.core

demo: $(VENV)/.core  ## run the demo; MODEL=ollama/… asks a real model instead
	$(BIN)/evenhand demo --model '$(MODEL)' --output '$(REPORT)'

check: $(VENV)/.dev  ## format, lint, types
	$(BIN)/ruff format --check src tests benchmarks training
	$(BIN)/ruff check src tests benchmarks training
	$(BIN)/mypy
	$(BIN)/interrogate -q tests

test: $(VENV)/.dev  ## the test suite (under ten minutes on two cores)
	$(BIN)/pytest -n 3 --dist worksteal -m 'not slow and not extras and not live'

test-slow: $(VENV)/.dev  ## long simulations
	$(BIN)/pytest -n 3 --dist worksteal -m 'slow and not extras and not live' --timeout=1200

test-extras: $(VENV)/.dev  ## heavy and foreign parts, in an environment of their own
	PYTHON=$(PYTHON) tests/extras/run.sh

bench: $(VENV)/.dev  ## speed, as ratios in one run
	$(BIN)/python benchmarks/run.py

format: $(VENV)/.dev  ## write the format that check asks for
	$(BIN)/ruff format src tests benchmarks training
	$(BIN)/ruff check --fix src tests benchmarks training

clean:  ## remove what make made
	rm -rf $(VENV) .venv-extras .venv-inspect dist build .mypy_cache .pytest_cache .ruff_cache
