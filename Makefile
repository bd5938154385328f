# The commands of a checkout. Each needs only make and Python 3.11 or newer; each creates .venv when missing.
#   make PYTHON=python3.12 demo    picks another interpreter for a new .venv

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-browser bench verify results lint clean

help:  ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  (the first one also creates .venv: 2 to 5 minutes, most of it the download of torch)"

demo: $(STAMP)  ## Strategies and a PPO agent trade one market, then one table: under 2 minutes.
	@echo "== demo: scripted strategies, a short PPO training, then the comparison; under 2 minutes =="
	@$(BIN)/hft-gym demo $(ARGS)

test: $(STAMP)  ## Run the tests: under 10 minutes on two cores.
	@echo "== compile: warming the kernels' cache, so that the $(WORKERS) test workers need not; at most a minute =="
	@$(BIN)/hft-gym compile
	@echo "== test: the whole suite but the slow and the verify checks; under 10 minutes on two cores =="
	@$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

test-browser: $(STAMP)  ## Open the pages in headless Chromium, where there is one: a minute.
	@echo "== test-browser: pages in headless Chromium; skipped by name where it is not installed =="
	@$(BIN)/python -m pytest -n0 -m browser $(ARGS)

bench: $(STAMP)  ## Measure every row of the README's benchmark table: about 5 minutes on an idle machine.
	@echo "== bench: every row several times, medians; about 5 minutes, keep the machine idle (ARGS=--quick: 1 minute) =="
	@$(BIN)/python -m benchmarks $(ARGS)

verify: $(STAMP)  ## Run the long checks against theory and the slow tests: about 20 minutes.
	@echo "== verify: the simulator against exact results, and the slow tests; about 20 minutes =="
	@$(BIN)/hft-gym compile
	@$(BIN)/python -m pytest -n $(WORKERS) -m "verify or slow" $(ARGS)

results: $(STAMP)  ## Make the tables of docs/results anew, tuning where needed: an hour; goes on where it was stopped.
	@echo "== results: what is tuned is checked, then every table is played; ARGS='--data FOLDER' for the recorded days =="
	@$(BIN)/hft-gym compile
	@$(BIN)/python -m train.results $(ARGS)

lint: $(STAMP)  ## Check style (ruff) and types (mypy strict): half a minute.
	@echo "== lint: ruff, then mypy --strict on hft_gym and baselines; half a minute =="
	@$(BIN)/ruff check .
	@$(BIN)/mypy

clean:  ## Remove .venv and every cache the commands made (not your runs/).
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch comes first and pinned: asked for by another package it could arrive as the newest GPU build.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) > /dev/null || { \
	  echo "hft_gym needs Python 3.11 or newer, and there is no '$(PYTHON)'. Install one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "hft_gym needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12"; exit 1; }
	@echo "== install: creating $(VENV) with torch and the rest; 2 to 5 minutes, once =="
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  echo "'$(PYTHON) -m venv' failed: on Debian and Ubuntu it is the package python3-venv."; exit 1; }
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[all,dev]"
	@touch $(STAMP)
