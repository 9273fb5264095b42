# Linux, Python 3.11 or newer with venv, and make: nothing else is needed. `make` alone lists the verbs.

SHELL         := /bin/bash
.SHELLFLAGS   := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS     += --no-print-directory

# What may be set: make test PYTHON=python3.13 VENV=/tmp/v JOBS=4 ARGS="-k radius" PEERS=install
PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= 2
ARGS   ?=
PEERS  ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The code of this tree runs, also after an edit; the installed copy beside it brings scripts and metadata.
RUN := PYTHONPATH="$(CURDIR)" $(BIN)

RUNTIME := $(VENV)/.runtime-installed
DEV     := $(VENV)/.dev-installed

.PHONY: help
help: ## list the verbs (this)
	@echo "make VERB, where VERB is one of"
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## (.*)$$/  \1\t\2/' | expand -t 16
	@echo "Variables: PYTHON=$(PYTHON) VENV=$(VENV) JOBS=$(JOBS) PEERS=install|required ARGS=(for pytest)"

.PHONY: run
run: $(RUNTIME) ## start the proxy on the embedded sandbox: log in without an account
	@# beside conf: status, explain and primary-only reach the proxy through a socket in it
	@mkdir -p -m 0700 run
	@$(RUN)/twistd -n --pidfile= duoauthproxy -c conf/sandbox.cfg

.PHONY: test
test: $(if $(filter install,$(PEERS)),peers) $(DEV) ## run every test that can run here (PEERS=install, as root, brings the rest first)
	@PEERS="$(PEERS)" $(RUN)/python -m pytest -n $(JOBS) --dist loadscope $(ARGS)

.PHONY: peers
peers: ## install the real servers and clients that tests talk to (Debian packages, as root; none is started)
	@PYTHON="$(PYTHON)" tests/peers/install.sh

.PHONY: lint
lint: $(DEV) ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: format
format: $(DEV) ## let ruff sort imports and format
	@$(BIN)/ruff check --fix-only --select I .
	@$(BIN)/ruff format .

.PHONY: types
types: $(DEV) ## mypy, strict
	@$(BIN)/mypy

.PHONY: law
law: $(DEV) ## import-linter: who may import whom (docs/architecture.md)
	@$(BIN)/lint-imports --no-logo

.PHONY: build
build: $(DEV) ## make wheel and sdist, install the wheel in a venv of its own and start it there
	@# setuptools would put what an earlier build left behind into the new one
	@rm -rf build dist duoproxy.egg-info
	@$(BIN)/python -m build --quiet .
	@PYTHON="$(BIN)/python" tests/packaging/try_wheel.sh dist/*.whl

.PHONY: dist
dist: ## make the source tarball to install from (dist/, with SHA256SUMS)
	@conf/package/make-dist

.PHONY: dist-offline
dist-offline: $(BIN)/python ## the same with the wheels that it needs, for machines like this one without the network
	@conf/package/make-dist --offline $(BIN)/python

.PHONY: deb
deb: ## make the Debian package, with what this machine has as python3 (dist/; needs debhelper)
	@conf/package/make-deb

.PHONY: long
long: $(DEV) ## the tests that take minutes
	@HYPOTHESIS_PROFILE=long PEERS="$(PEERS)" $(RUN)/python -m pytest -m long --timeout=3600 $(ARGS)

.PHONY: bench
bench: $(DEV) ## the measured claims of the README, one script each in bench/
	@for script in bench/[a-z]*.py; do echo "== $$script"; $(RUN)/python "$$script"; done

.PHONY: docs
docs: $(DEV) ## write what is generated: conf/authproxy.cfg and docs/reference/sections
	@$(RUN)/python -m duoproxy.tools.generate .

.PHONY: site
site: docs ## make docs/ into a site below build/site; a warning is a failure
	@$(BIN)/python -m sphinx -q -n -W --keep-going -b html docs build/site
	@echo "build/site/index.html"

.PHONY: clean
clean: ## remove the venv and everything that was made here
	rm -rf "$(VENV)" build dist duoproxy.egg-info var run .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	rm -f twisted/plugins/dropin.cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A sentence for each thing that can be missing; without one, make would show a traceback of Python's.
$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON) here. On Debian and Ubuntu: sudo apt-get install python3 python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "duoproxy needs Python 3.11 or newer, and $(PYTHON) is $$("$(PYTHON)" --version 2>&1). Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv is missing. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) …"
	@"$(PYTHON)" -m venv "$(VENV)" || { rm -f "$@"; exit 1; }

$(RUNTIME): setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing duoproxy and what it needs into $(VENV) …"
	@$(PIP) install --quiet .
	@touch "$@"

$(DEV): setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing duoproxy, what it needs, and the tools for tests into $(VENV) …"
	@$(PIP) install --quiet '.[dev]'
	@touch "$@" "$(RUNTIME)"
