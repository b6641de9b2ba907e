# The developer commands. Each makes what it needs first: only python3, venv and make are taken for granted.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help

help:  ## show these lines
	@sed -n 's/^\([a-z%-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | sed 's/%/NAME/' | expand -t 22

# Debian's own pip refuses to work outside a venv and is too old for dependency groups.
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --editable ".[all]"
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	$(BIN)/pip install --quiet --group test
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready-test
	$(BIN)/pip install --quiet --group dev
	@touch $@

$(VENV)/.ready-fuzz: $(VENV)/.ready
	$(BIN)/pip install --quiet --group fuzz
	@touch $@

demo: $(VENV)/.ready  ## two blogs on loopback tell each other about a link, by all three protocols
	$(BIN)/linkback demo

EXAMPLES := $(sort $(patsubst examples/%/__main__.py,%,$(wildcard examples/*/__main__.py)) \
	$(patsubst examples/%.py,%,$(wildcard examples/*.py)))

$(EXAMPLES:%=example-%) $(EXAMPLES:%=example-%.py): example-%: $(VENV)/.ready-test
	$(BIN)/python $(firstword $(wildcard examples/$(*:.py=).py examples/$(*:.py=)))

example-%:  ## a little blog to try, such as example-flask_blog; examples/README.md has them all
	$(error there is no example "$*"; NAME in make example-NAME is one of: $(EXAMPLES))

test: $(VENV)/.ready-test  ## the test suite
	$(BIN)/pytest

lint: $(VENV)/.ready-dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint $(VENV)/.ready-test  ## style, types, and the test suite with its branch coverage
	$(BIN)/pytest --cov --cov-report=term

conformance: $(VENV)/.ready-test  ## which requirement is shown by which tests; writes docs/conformance.md
	$(BIN)/python -m tests.conformance.report

peers: $(VENV)/.ready-test  ## other people's senders and receivers, for the interop tests
	$(BIN)/python -m tests.interop.environments

# a figure leaves out the peers that could not be made
bench: $(VENV)/.ready-test  ## measure all that docs/performance.md says, and write it; CORPUS=DIR has it read your pages
	-$(BIN)/python -m tests.interop.environments
	$(BIN)/python bench/run.py $(if $(CORPUS),--corpus "$(CORPUS)") $(ONLY:%=--only %) $(BENCH)

bench-check: BENCH := --check
bench-check: bench  ## the same, and end with 1 where a goal is missed

SECONDS ?= 60
TARGET ?= $(notdir $(wildcard fuzz/corpus/*))

# a broken promise in one target does not keep the others from being tried
fuzz: $(VENV)/.ready-fuzz  ## try each target of fuzz/ with made-up input; SECONDS=600 for so long each, TARGET=page that one
	@failed=0; for target in $(TARGET); do \
		$(BIN)/python fuzz/run.py $$target --seconds $(SECONDS) || failed=1; \
	done; exit $$failed

clean:  ## remove what these commands made
	rm -rf $(VENV) .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist fuzz/found

.PHONY: help demo test lint check conformance peers bench bench-check fuzz clean
