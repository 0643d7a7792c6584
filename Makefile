# Two environments: .venv serves (no torch), .venv-test also trains, tests and lints. Each is brought up to date when its list of packages
# changes; `make clean` makes room for fresh ones.
SHELL := bash
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3; do \
    $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
PIP_FLAGS := -qq --disable-pip-version-check
SERVICE_EXTRA := $(if $(shell command -v nvidia-smi 2>/dev/null),gpu,cpu)
# Pytest's arguments: make test ARGS="tests/integration/web -k worklist".
ARGS ?=
# Most integration tests wait for peers more than they compute; a module's tests stay together, so that its fixtures are made once.
TEST_PROCESSES ?= 3
# Small networks gain little from a second thread of torch, and on a busy machine its waiting costs more than the work.
ONE_THREAD := OMP_NUM_THREADS=1
PYTEST := $(ONE_THREAD) .venv-test/bin/python -m pytest
CHECK_PROCESSES ?= 2
# The stamp of npm's tools, or nothing where there is no node 20 and npm.
NODE_TOOLS := $(shell command -v npm >/dev/null && command -v node >/dev/null && node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' && echo node_modules/.done)

.PHONY: help demo serve check lint typecheck imports dead-code containers-lint lint-js typecheck-js test-js format test test-fast test-slow bench \
    screenshots image clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: .venv/.done ## send two real four-view cases through the whole stack on loopback (KEEP=1 leaves it serving)
	.venv/bin/python -m service.cli demo $(if $(filter-out 0,$(KEEP)),--keep)

serve: .venv/.done ## the whole stack in the foreground, with embedded Redis and SQLite; Ctrl-C stops it
	.venv/bin/python -m service.cli serve

check: .venv-test/.done $(NODE_TOOLS) ## everything but the tests: format, style, types, imports, dead code, container files, JavaScript
	@$(MAKE) --no-print-directory --jobs $(CHECK_PROCESSES) --keep-going --output-sync=target \
	    typecheck typecheck-js dead-code lint-js lint test-js imports containers-lint

# Every part of check prints one line, or all that its tool says where it fails.
part = @start=$$(date +%s); if output=$$($(2) 2>&1); then echo "ok      $(1) ($$(( $$(date +%s) - start )) s)"; \
    else echo "FAILED  $(1)"; echo "$$output"; exit 1; fi

lint: .venv-test/.done ## ruff: format and style of Python
	$(call part,ruff,.venv-test/bin/ruff format --check . && .venv-test/bin/ruff check .)

typecheck: .venv-test/.done ## mypy, strict
	$(call part,mypy,.venv-test/bin/mypy)

imports: .venv-test/.done ## import-linter: imports only go down
	$(call part,import-linter,.venv-test/bin/lint-imports)

dead-code: .venv-test/.done ## vulture: what nothing uses
	$(call part,dead code,.venv-test/bin/python .ci/dead_code.py)

containers-lint: .venv-test/.done ## hadolint, yamllint and the schema of Compose
	$(call part,container files,.venv-test/bin/hadolint --config .hadolint.yaml Dockerfile \
	    && .venv-test/bin/yamllint --strict -c .yamllint.yaml docker-compose.yml docker-compose.cpu.yml \
	    && .venv-test/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml)

ifdef NODE_TOOLS
lint-js: $(NODE_TOOLS) ## eslint: style of JavaScript
	$(call part,eslint,npm run --silent lint)

typecheck-js: node_modules/.api/schema.d.ts ## tsc: types of JavaScript, and that it reads fields that the API has
	$(call part,tsc,npm run --silent typecheck)

test-js: $(NODE_TOOLS) ## unit tests of the pages' modules, with node
	$(call part,node --test,npm run --silent test)
else
lint-js typecheck-js test-js:
	@echo "skipped $@: needs node 20 or newer, and npm"; test "$${MAMMOTRIAGE_NO_SKIP:-0}" = 0
endif

format: .venv-test/.done $(NODE_TOOLS) ## put Python and JavaScript into form, and mend what the linters can mend
	.venv-test/bin/ruff check --quiet --fix --exit-zero .
	.venv-test/bin/ruff format .
	$(if $(NODE_TOOLS),npm run --silent lint -- --fix)

test: .venv-test/.done .venv-test/.peers ## all tests but the slow ones; ARGS="tests/integration/web -k worklist" chooses some
	$(PYTEST) -n $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder $(ARGS)

test-fast: .venv-test/.done ## tests that need no program beside Python (no Orthanc, PostgreSQL, Chromium, dcmtk ...)
	$(PYTEST) -n $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder -m "not peer and not slow and not gpu" $(ARGS)

test-slow: .venv-test/.done .venv-test/.peers ## proofs that train for minutes: the four systems of the papers end to end, the tutorial
	$(PYTEST) -m slow $(ARGS)

bench: .venv-test/.done .venv-test/.peers ## the whole way, training, delivery to an Orthanc, hanging API under load, pages over 100,000 studies (half an hour)
	.venv-test/bin/python -m benchmarks
	.venv-test/bin/python -m benchmarks.delivery
	.venv-test/bin/python -m benchmarks.hanging
	.venv-test/bin/python -m benchmarks.worklist
	.venv-test/bin/python -m benchmarks.operations
	.venv-test/bin/python -m benchmarks.quality
	.venv-test/bin/python -m benchmarks.frames

screenshots: .venv-test/.done .venv-test/.peers ## pictures of every page, from a real stack on a day of real studies, into docs/screenshots
	$(ONE_THREAD) .venv-test/bin/python -m tests.integration.web.screenshots

image: ## build the container image (TARGET=cpu or gpu); needs docker
	docker build --target $(or $(TARGET),cpu) --tag mammotriage:$(or $(TARGET),cpu) .

clean: ## remove environments, caches and what demo and serve wrote
	rm -rf .venv .venv-test node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist *.egg-info demo-output mammotriage-data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.done: pyproject.toml constraints.txt
	$(call environment,.venv,$(SERVICE_EXTRA)$(comma)demo)

.venv-test/.done: pyproject.toml constraints.txt
	$(call environment,.venv-test,$(SERVICE_EXTRA)$(comma)training$(comma)test$(comma)lint)

comma := ,
# Make the environment where it is missing or its Python is gone, and install the project with the named extras. A link is refused: what
# it leads to belongs to another checkout.
define environment
$(if $(PYTHON),,$(error mammotriage needs Python 3.11 or newer: make PYTHON=/path/to/python3.11))
@if [ -L $(1) ]; then echo "$(1) is a link to an environment of another checkout: remove it" >&2; exit 1; fi
$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(1)
$(1)/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[$(2)]'
@touch $(1)/.done
endef

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

node_modules/.done: package.json
	npm install --silent
	@touch $@

# The API's fields as TypeScript's types, from the document that the application describes itself with.
node_modules/.api/schema.d.ts: $(shell find models service -name '*.py') .ci/openapi.py node_modules/.done | .venv-test/.done
	@PYTHONPATH=. .venv-test/bin/python .ci/openapi.py node_modules/.api/openapi.json
	@npm run --silent types
	@touch $@
