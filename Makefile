# Two environments, each remade when its list of packages changes: .venv serves (no torch), .venv-test also trains, tests and lints.
SHELL := bash
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3; do \
    $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
PIP_FLAGS := -qq --disable-pip-version-check
SERVICE_EXTRA := $(if $(shell command -v nvidia-smi 2>/dev/null),gpu,cpu)
PYTEST_FLAGS ?=
# Most integration tests wait for peers more than they compute; a module's tests stay together, so that its fixtures are made once.
TEST_PROCESSES ?= 3
# Small networks gain little from a second thread of torch, and on a busy machine its waiting costs more than the work.
ONE_THREAD := OMP_NUM_THREADS=1

.PHONY: help demo serve test test-slow lint bench screenshots image clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/.done ## send two real four-view cases through the whole stack on loopback (KEEP=1 leaves it serving)
	.venv/bin/python -m service.cli demo $(if $(filter-out 0,$(KEEP)),--keep)

serve: .venv/.done ## the whole stack in the foreground, with embedded Redis and SQLite; Ctrl-C stops it
	.venv/bin/python -m service.cli serve

test: .venv-test/.done .venv-test/.peers ## unit, contract and integration tests
	$(ONE_THREAD) .venv-test/bin/python -m pytest -n $(TEST_PROCESSES) --dist loadscope $(PYTEST_FLAGS)

test-slow: .venv-test/.done .venv-test/.peers ## proofs that train for minutes: the four systems of the papers end to end, the tutorial
	$(ONE_THREAD) .venv-test/bin/python -m pytest -m slow $(PYTEST_FLAGS)

lint: .venv-test/.done ## style, types, floors, container files
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .
	.venv-test/bin/mypy
	.venv-test/bin/lint-imports
	.venv-test/bin/hadolint --config .hadolint.yaml Dockerfile
	.venv-test/bin/yamllint --strict -c .yamllint.yaml docker-compose.yml docker-compose.cpu.yml
	.venv-test/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

bench: .venv-test/.done .venv-test/.peers ## the whole way, training, delivery to an Orthanc, hanging API under load, pages over 100,000 studies (half an hour)
	.venv-test/bin/python -m benchmarks
	.venv-test/bin/python -m benchmarks.delivery
	.venv-test/bin/python -m benchmarks.hanging
	.venv-test/bin/python -m benchmarks.worklist
	.venv-test/bin/python -m benchmarks.operations
	.venv-test/bin/python -m benchmarks.quality
	.venv-test/bin/python -m benchmarks.frames

screenshots: .venv-test/.done .venv-test/.peers ## pictures of every page, from a real stack on a day of real studies, into docs/screenshots
	$(ONE_THREAD) .venv-test/bin/python -m tests.web.screenshots

image: ## build the container image (TARGET=cpu or gpu); needs docker
	docker build --target $(or $(TARGET),cpu) --tag mammotriage:$(or $(TARGET),cpu) .

clean: ## remove environments, caches and what demo and serve wrote
	rm -rf .venv .venv-test .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist *.egg-info demo-output mammotriage-data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.done: pyproject.toml constraints.txt
	$(if $(PYTHON),,$(error mammotriage needs Python 3.11 or newer: make PYTHON=/path/to/python3.11))
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[$(SERVICE_EXTRA),demo]'
	@touch $@

.venv-test/.done: pyproject.toml constraints.txt
	$(if $(PYTHON),,$(error mammotriage needs Python 3.11 or newer: make PYTHON=/path/to/python3.11))
	$(PYTHON) -m venv --clear .venv-test
	.venv-test/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[$(SERVICE_EXTRA),training,test,lint]'
	@touch $@

# Real peers for the tests: a PACS, DICOM tools, a validator, a database, a browser. Where apt does not work, the tests that want them skip and say so.
PEERS := orthanc orthanc-dicomweb dcmtk dicom3tools postgresql chromium
.venv-test/.peers: .venv-test/.done
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && ! dpkg -s $(PEERS) >/dev/null 2>&1; then \
	    echo "installing $(PEERS)"; \
	    export DEBIAN_FRONTEND=noninteractive; \
	    { timeout 120 apt-get -qq update && timeout 400 apt-get -qq install -y --no-install-recommends $(PEERS); } >.venv-test/peers.log 2>&1 \
	        || echo "apt did not install all of $(PEERS) (.venv-test/peers.log says why): tests that need them will skip"; \
	fi
	@touch $@
