# Lookahead's everyday commands: each makes what it needs, once. `make help` lists them.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

ARGS ?=
PYTHON ?=
BENCHMARKS ?= learn replay
SYSTEMS ?= $(patsubst gin/%_small.gin,%,$(wildcard gin/*_small.gin))
SEEDS ?= 0

venv := .venv
python := $(venv)/bin/python
# Inside .venv, so that they go with it.
stamps := $(venv)/stamps
pip := $(python) -m pip --disable-pip-version-check --quiet
native_ops := $(foreach name,$(patsubst ops/%/cc,%,$(wildcard ops/*/cc)),ops/$(name)/_$(name)_ops.so)
cpp_sources := $(shell find ops -name '*.cc' -o -name '*.h' -o -name '*.cu')
cpp_files = $$(find agents pipelines ops tests -name '*.cc' -o -name '*.h' -o -name '*.cu')

.PHONY: help setup run test lint bench learn clean

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 16
	@echo "Variables: ARGS (passed on by run, test and learn), PYTHON (makes .venv),"
	@echo "BENCHMARKS='$(BENCHMARKS)', SYSTEMS='$(SYSTEMS)', SEEDS='$(SEEDS)'"

setup: $(stamps)/lookahead $(stamps)/renderer  ## make everything ready in .venv

run: setup  ## train PlaNet on cartpole, the size that learns on two CPU cores
	$(python) pipelines/run.py --gin_file=gin/planet_small.gin $(ARGS)

test: setup  ## run the tests
	$(python) -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile $(ARGS)

lint: $(stamps)/packages  ## check style and format, Python and C++
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	files=$(cpp_files); [[ -z $$files ]] || $(venv)/bin/clang-format --dry-run --Werror $$files

bench: setup  ## measure BENCHMARKS
	set -e; for benchmark in $(BENCHMARKS); do \
	  $(python) pipelines/bench.py $$benchmark $(ARGS); \
	done

learn: setup  ## train every gin/*_small.gin, or SYSTEMS, for SEEDS, one a core; resumes in runs/learn
	$(python) pipelines/sweep.py $(SYSTEMS:%=--experiment=gin/%_small.gin) --seeds='$(SEEDS)' \
	  --logdir=runs/learn $(ARGS)

clean:  ## remove what was built and cached; keeps .venv and runs
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache $(stamps)/lookahead
	find agents pipelines ops tests -name __pycache__ -prune -exec rm -r {} +
	find agents pipelines ops -name '*.so' -delete

# Whatever stands there without a working Python is left from an interrupted set-up.
$(python):
	@python=$$(tools/system.sh python "$(PYTHON)") && "$$python" -m venv --clear $(venv)

$(stamps)/packages: requirements.lock | $(python)
	@tools/system.sh libraries $(python)
	@echo "Installing requirements.lock into $(venv): about 1 GB to fetch, 2.5 GB on disk; some minutes,"
	@echo "in which pip says nothing"
	$(pip) install --no-deps --use-pep517 --requirement requirements.lock
	@mkdir -p $(@D) && touch $@

# No stamp without the libraries: the next make tries again, perhaps with a compiler.
$(stamps)/lookahead: setup.py $(cpp_sources) $(stamps)/packages
	@echo "Compiling the native ops: about 3 minutes of one core, shared by all"
	$(python) setup.py --quiet build_ext --inplace
	$(pip) install --no-deps --no-build-isolation --editable .
	@mkdir -p $(@D)
	@for library in $(native_ops); do [[ -e $$library ]] || exit 0; done; touch $@

$(stamps)/renderer: $(stamps)/packages
	tools/system.sh renderer $(python)
	@mkdir -p $(@D) && touch $@
