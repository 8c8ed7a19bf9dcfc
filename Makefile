# Two commands are all that a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
OUT ?= lehr-compare
PEERS := .venv-peers
PICTURED := step cosine trapezoid one_cycle warm_restarts triangular2
TRAINERS := .venv-trainers
PYTHONS ?= python3.11 python3.12 python3.13 python3.14

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-matrix lint types format gallery peers trainers clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

# Each interpreter that can be started gets a virtual environment of its own. The tests run with all of
# them even if one fails; the last lines say how each went, and which were not found.
test-matrix:  ## the tests with each of PYTHONS that is installed, 3.11 to 3.14
	@outcome=0; said=""; \
	for python in $(PYTHONS); do \
		if ! $$python -c "" 2>/dev/null; then \
			said="$$said\n  $$python: not found"; \
		elif $(MAKE) --no-print-directory PYTHON=$$python VENV=.venv-$$(basename $$python) only-tests; then \
			said="$$said\n  $$python: passed"; \
		else \
			said="$$said\n  $$python: FAILED"; outcome=1; \
		fi; \
	done; \
	printf "test-matrix:$$said\n"; exit $$outcome

.PHONY: only-tests
only-tests: $(VENV)/.dev
	$(BIN)/pytest --numprocesses 2 -m "not slow"

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/pyright

format: $(VENV)/.dev  ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

gallery: $(VENV)/.dev  ## draw every schedule of the catalogue into docs/gallery.md, and the README's picture
	$(BIN)/python -m lehr.view.gallery docs
	$(BIN)/lehr plot $(PICTURED) --steps 400 --out docs/images/schedules.svg

# The libraries whose schedules are translated want versions of their own, so they get an environment
# of their own; some would bring in half the world and are installed without what they ask for.
$(PEERS)/.done: constraints.txt tests/translate/peers.txt tests/translate/peers-alone.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --constraint constraints.txt hatchling editables -r tests/translate/peers.txt
	$(PEERS)/bin/python -m pip install --quiet --no-deps -r tests/translate/peers-alone.txt
	$(PEERS)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

peers: $(PEERS)/.done  ## compare with the live libraries: translations, JAX, and the rules of finders
	$(PEERS)/bin/python -m pytest --noconftest -W ignore tests/curves/live_jax.py tests/translate/live_*.py
	# By itself: the tests of translations load a part of fastai in place of the whole.
	$(PEERS)/bin/python -m pytest --noconftest -W ignore tests/find/live_finders.py

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
	$(TRAINERS)/bin/python -m pytest -W ignore tests/test_documents.py -k "trainers and not deepspeed"
	# DeepSpeed's process group must be the first of its process.
	$(TRAINERS)/bin/python -m pytest -W ignore tests/test_documents.py -k deepspeed
	$(TRAINERS)/bin/python -m pytest -W ignore -k ray tests/lab/engines/test_ray.py tests/cli/test_compare.py

clean:  ## remove what was built
	rm -rf $(VENV) .venv-python3* $(PEERS) $(TRAINERS) dist build .pytest_cache .ruff_cache .hypothesis
