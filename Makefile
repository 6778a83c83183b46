# From a fresh clone, with nothing but Python 3.11+, pip and make:
#
#   make demo                     prepare a simulated corpus into data/demo
#   make test                     lint, types and tests, as CI runs them
#   make drills                   damage 10 000 files, one at a time, and run all that reads them
#   make ray                      run the tests of the engines on a Ray cluster, too
#   make test PYTHON=python3.12   the same with another Python (the environment is made anew)

PYTHON ?= python3
VENV ?= .venv
DEMO ?= data/demo
PYTEST_ARGS ?=
DRILLS ?= 10000
RELEASE ?= Unreleased

FIRST_CLIP = from toyadmos_datasets import load_dataset; clip = load_dataset("$(DEMO)", split="train")[0]; \
  print(clip["condition_text"], clip["audio"]["array"].shape, clip["audio"]["sampling_rate"], "Hz")

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_ROOT_USER_ACTION = ignore

BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# Which Python made the environment is part of the stamp's name: another PYTHON finds no stamp and starts anew.
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)
MADE := $(VENV)/made-by-$(or $(VERSION),nothing)
CORE := $(VENV)/installed-core
DEV := $(VENV)/installed-dev
DOCS := $(VENV)/installed-docs
BUILD := $(VENV)/build
OLDEST := $(VENV)/datasets-oldest
S3 := $(VENV)/s3
RAY := $(VENV)/ray

.DEFAULT_GOAL := help
.PHONY: help demo test ray drills lint types format docs build notes clean distclean

help:  ## Show the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(CORE)  ## Prepare a simulated ToyTrain into data/demo, and load a clip of it.
	@echo '== Simulating a corpus and preparing it into $(DEMO); the recordings stay in the cache of toyadmos'
	$(BIN)/toyadmos prepare --toy train --source simulate --out $(DEMO)
	@echo '== Loading the first clip'
	$(BIN)/python -c '$(FIRST_CLIP)'

test: lint types $(OLDEST) $(S3)  ## Run lint, types and tests (PYTEST_ARGS="-k words" to choose).
	PYTHONPATH=$(S3) $(BIN)/python -m pytest -k "s3 or bucket_that" tests/test_share_bucket.py
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

ray: $(RAY)  ## Run the tests of the engines with Ray, which is 260 MB and no part of CI.
	PYTHONPATH=$(RAY) $(BIN)/python -m pytest -k ray tests/test_engine_contract.py tests/test_prepare_engines.py

drills: $(DEV)  ## Run the long form of the drills with damaged files and killed workers (DRILLS=1000 for fewer).
	TOYADMOS_DRILLS=$(DRILLS) $(BIN)/python -m pytest --numprocesses auto --dist load tests/test_mutations.py tests/test_cache_lease.py
	TOYADMOS_DRILLS=$(DRILLS) $(BIN)/python -m pytest -k killed tests/test_prepare_engines.py
	TOYADMOS_DRILLS=$(DRILLS) $(BIN)/python -m pytest tests/test_benchmarks.py tests/test_growth_commit.py tests/test_derivation_law.py \
	  tests/test_printed_lines.py

lint: $(DEV)  ## Run the linter and check the formatting.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)  ## Check the types.
	$(BIN)/mypy

format: $(DEV)  ## Mend what the linter and the formatter can mend.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DOCS)  ## Build the site of the documentation into site/; a broken link fails.
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo '== To read it: $(BIN)/python -m http.server --directory site, and http://localhost:8000 in a browser'

build: $(BUILD)  ## Build wheel and sdist into dist/, and check them; the version is that of the git tag.
	rm -rf dist
	$(BUILD)/bin/python -m build --outdir dist .
	$(BUILD)/bin/python -m twine check --strict dist/*

notes:  ## Print the release notes from the changelog (RELEASE=0.1.0; by default what is not released yet).
	@$(PYTHON) docs/release_notes.py $(RELEASE)

clean:  ## Remove caches and build outputs.
	rm -rf build dist site .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## Remove the environment, the demo, and the simulated corpus that it left in the cache.
	@test ! -x $(BIN)/toyadmos || $(BIN)/toyadmos cache --toy train --kind simulated --clean
	rm -rf $(VENV) $(DEMO)

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@echo '== Making the environment $(VENV)'
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(CORE): $(MADE) pyproject.toml constraints.txt
	@echo '== Installing the package into $(VENV): about 870 MB, some minutes'
	$(PIP_INSTALL) --editable .
	@touch $@

# The development install brings the core with it, so both stamps are new and `make demo` installs nothing again.
$(DEV): $(MADE) pyproject.toml constraints.txt
	@echo '== Installing what the tests need into $(VENV), PyTorch included: some minutes'
	$(PIP_INSTALL) --editable '.[test,dev,docs,report,dask]'
	$(PIP_INSTALL) --editable '.[train]' || \
	  echo '######## torch cannot be had here: the tests of the baseline WILL BE SKIPPED ########' >&2
	$(PIP_INSTALL) --editable '.[examples]' || \
	  echo '######## Lightning or Keras cannot be had here: the tests of their examples WILL BE SKIPPED ########' >&2
	@touch $(CORE) $(DOCS) $@

$(DOCS): $(CORE)
	@echo '== Installing MkDocs into $(VENV)'
	$(PIP_INSTALL) --editable '.[docs]'
	@touch $@

# The oldest datasets that is supported, alone in a folder: with the dependencies of the newest it takes seconds.
$(OLDEST): $(DEV)
	rm -rf $@
	$(BIN)/python -m pip install --quiet --no-deps --target $@ 'datasets==4.0.0' || \
	  echo '######## datasets 4.0.0 cannot be had here: the tests with it WILL BE SKIPPED ########' >&2

# What builds and checks packages, in an environment of its own.
$(BUILD): $(MADE) constraints.txt
	@echo '== Installing build and twine into $@'
	$(BIN)/python -m venv --clear $@
	$@/bin/python -m pip install --quiet --constraint constraints.txt build twine || { rm -rf $@; exit 1; }

# An S3 client and server in a folder of their own: botocore wants older packages than the rest is pinned to.
$(S3): $(DEV)
	rm -rf $@
	$(BIN)/python -m pip install --quiet --no-compile --target $@ s3fs 'moto[s3]' flask flask-cors || \
	  { rm -rf $@; mkdir $@; echo '######## S3 cannot be had here: its tests WILL BE SKIPPED ########' >&2; }

# Ray alone in a folder: its tests run where somebody asks for them.
$(RAY): $(DEV)
	rm -rf $@
	$(PIP_INSTALL) --no-compile --target $@ ray
