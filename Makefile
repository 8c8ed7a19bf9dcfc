# Two commands are all that a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
OUT ?= lehr-compare
PEERS := .venv-peers
TRAINERS := .venv-trainers

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint types format gallery peers trainers clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# What is installed is stamped, so that a second run starts at once. The build back end is installed
# from the same constraints and used without isolation: nothing is resolved outside constraints.txt.
$(VENV)/.build: constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt hatchling editables
	@touch $@

$(VENV)/.demo: pyproject.toml constraints.txt $(VENV)/.build
	$(PIP) install --quiet --constraint constraints.txt --no-build-isolation --editable ".[all]"
	@$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.build
	$(PIP) install --quiet --constraint constraints.txt --no-build-isolation --editable ".[dev]"
	@$(BIN)/python -m compileall -q src
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo  ## install, and compare optimizers and schedules on real data
	$(BIN)/lehr compare --task digits --out $(OUT)

test: $(VENV)/.dev lint types  ## install, then lint, types and tests
	$(BIN)/pytest --numprocesses 2 -m "not slow"

test-all: $(VENV)/.dev lint types  ## the same with the slow tests and a minute of hostile input
	$(BIN)/pytest --numprocesses 2 tests tests/notation/fuzz_notation.py

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/pyright

format: $(VENV)/.dev  ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

gallery: $(VENV)/.dev  ## draw every schedule of the catalogue into docs/gallery.md
	$(BIN)/python -m lehr.view.gallery docs

# The libraries whose schedules are translated want versions of their own, so they get an environment
# of their own; some would bring in half the world and are installed without what they ask for.
$(PEERS)/.done: constraints.txt tests/translate/peers.txt tests/translate/peers-alone.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --constraint constraints.txt hatchling editables -r tests/translate/peers.txt
	$(PEERS)/bin/python -m pip install --quiet --no-deps -r tests/translate/peers-alone.txt
	$(PEERS)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

peers: $(PEERS)/.done  ## compare with the live libraries: translations, and JAX
	$(PEERS)/bin/python -m pytest --noconftest -W ignore tests/curves/live_jax.py tests/translate/live_*.py

# The trainers' environment. DeepSpeed is built against the torch that is there, and compiles nothing
# before it runs.
$(TRAINERS)/.done: constraints.txt tests/trainers/trainers.txt
	$(PYTHON) -m venv $(TRAINERS)
	$(TRAINERS)/bin/python -m pip install --quiet --constraint constraints.txt hatchling editables -r tests/trainers/trainers.txt
	DS_BUILD_OPS=0 $(TRAINERS)/bin/python -m pip install --quiet --constraint constraints.txt --no-build-isolation deepspeed==0.19.8
	$(TRAINERS)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

trainers: $(TRAINERS)/.done  ## train under transformers, Lightning, Accelerate, DeepSpeed, JAX, Keras; on Ray
	$(TRAINERS)/bin/python -m pytest -W ignore tests/trainers
	$(TRAINERS)/bin/python -m pytest -W ignore -k ray tests/lab/test_ray.py tests/cli/test_compare.py

clean:  ## remove what was built
	rm -rf $(VENV) $(PEERS) $(TRAINERS) dist build .pytest_cache .ruff_cache .hypothesis
