# `make demo` and `make test` are all that is needed: each sets itself up, from nothing but Python, make and a package
# index, in the folder .venv. `make PYTHON=python3.12 test` chooses another Python (after `make clean`).

PYTHON ?= python3

FUZZ ?= -max_total_time=30

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
RUN := $(VENV)/.stamp-run
DEV := $(VENV)/.stamp-dev
BENCH := build/benchmarks

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo example-api example-web example-job test npm screenshots ring1 lint format types layers docs check surface lock benchmarks dist installed api diagrams licences fidelity clean fuzz mutants soak

help: ## say what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 16

demo: $(RUN) ## sign a simulated person in at a local Cognito, step by step
	$(BIN)/cognito-oidc demo

example-api: $(RUN) ## serve an API whose Swagger UI signs people in, beside a local Cognito; examples/README.md
	$(BIN)/python examples/fastapi_api/main.py

example-web: $(RUN) ## serve a shop that people sign in to through two pools, beside a local Cognito; examples/README.md
	$(BIN)/python examples/two_pools_web/main.py

example-job: $(RUN) ## run a scheduled job with a machine's token, beside a local Cognito; examples/README.md
	$(BIN)/python examples/scheduled_job/main.py

test: $(DEV) ## run the tests, with branch coverage; protocol/ must be covered in full
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report --include='src/cognito_oidc/protocol/*' --fail-under=100
	$(BIN)/coverage report

npm: $(DEV) ## install what npm has to judge us with (tests/interop) into .cache/npm; without it the tests do it
	$(BIN)/python -m tests.interop.npm_packages

screenshots: $(DEV) ## renew docs/images/*.png, pictures of the emulator's pages, by a headless Chromium
	COGNITO_OIDC_SCREENSHOTS=docs/images CI=true $(BIN)/python -m pytest tests/interop/test_browser.py tests/interop/test_command_login.py

ring1: $(DEV) ## each file of protocol/ covered in full by its own tests alone
	$(BIN)/python scripts/ring1.py

lint: $(DEV) ## ruff: rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(DEV) ## let ruff mend what it can
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

types: $(DEV) ## mypy --strict on src and tests; every public name typed in full
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" basedpyright --verifytypes cognito_oidc --ignoreexternal

layers: $(DEV) ## who may import whom
	$(BIN)/lint-imports --no-logo

docs: $(DEV) ## build the documentation into docs/_build/html, warnings as errors
	$(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet -b html docs docs/_build/html

check: lint layers types test docs ## everything but the demo

surface: $(DEV) ## renew tests/fixtures/public_surface.txt, after looking at what changed
	$(BIN)/python -m tests.public_surface

.PHONY: command-page
command-page: $(DEV) ## renew docs/reference/command.md from what the commands print
	$(BIN)/python -m scripts.command_page

lock: $(DEV) ## renew the pins of requirements/ (hashes, no addresses)
	$(BIN)/python scripts/lock.py

benchmarks: $(BENCH)/.stamp ## measure beside other libraries; renews docs/benchmarks.md; twenty minutes of a quiet machine
	$(BENCH)/bin/python -m benchmarks.verify --publish
	$(BENCH)/bin/python -m benchmarks.cold_start --publish
	$(BIN)/python -W ignore -m benchmarks.command_line --publish
	$(BENCH)/bin/python -m benchmarks.fairness --publish
	$(BENCH)/bin/python -m benchmarks.keys --publish
	$(BENCH)/bin/python -m benchmarks.callbacks --publish
	$(BENCH)/bin/python -m benchmarks.token_endpoint --publish
	$(BENCH)/bin/python -m benchmarks.refresh_storm --publish
	$(BENCH)/bin/python -m benchmarks.fleet --publish
	$(BENCH)/bin/python -m benchmarks.api_load --publish
	$(BENCH)/bin/python -m benchmarks.summary

dist: $(DEV) ## build what is released into dist/, twice, the same to the byte, with its bill of materials
	$(BIN)/python scripts/dist.py

installed: $(DEV) ## run the tests against the wheel of `make dist`, on each Python, at both ends of the dependencies
	$(BIN)/python scripts/installed.py

api: $(DEV) ## compare the public names with those of the last release
	$(BIN)/python scripts/api_diff.py

diagrams: $(DEV) ## renew the pictures of the flows and the key set, drawn from the code
	$(BIN)/python -m scripts.diagrams

licences: $(DEV) ## renew docs/licences.md, the licences of what is installed beside us
	$(BIN)/python scripts/licences.py

mutants: $(DEV) ## change the code a little and look which changes no test notices; FILES="protocol/callback.py" chooses
	$(BIN)/python scripts/mutants.py $(FILES)

soak: $(DEV) ## live through days of a protected API and of a session; nothing may grow. SECONDS_OF_SOAK=600, else 30
	$(BIN)/python -W ignore -m benchmarks.soak --seconds $${SECONDS_OF_SOAK:-30}

fuzz: build/fuzz/.stamp ## let atheris look for inputs that break a rule: half a minute for each target; FUZZ="-runs=20000 -seed=1" is the same every time
	for target in parsers verifier; do \
	  PYTHONPATH=. build/fuzz/bin/python -W ignore tests/fuzz/fuzz_$$target.py $(FUZZ) -max_len=4096 -print_final_stats=1 || exit 1; \
	done

fidelity: $(DEV) ## ask every local Cognito what it does as Cognito does; renews its table in docs/emulator.md
	$(BIN)/python -W ignore -m benchmarks.fidelity --publish

clean: ## remove everything that was made here
	rm -rf $(VENV) .cache .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist docs/_build
	find src tests docs scripts benchmarks -type d -name __pycache__ -prune -exec rm -rf {} +

# --- set-up -----------------------------------------------------------------------------------------------------------

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "'$(PYTHON)' was not found. Name a Python of 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "cognito-oidc needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." \
	       "Name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { \
	  echo "'$(PYTHON)' comes without venv and pip: install them (Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@echo "Making the virtual environment $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

# What the program needs, then what developing it needs, both pinned with hashes; the library itself as an editable
# install, built by the pinned hatchling.
$(RUN): $(BIN)/python requirements/run.txt pyproject.toml
	@echo "Installing requirements/run.txt"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(RUN) requirements/dev.txt
	@echo "Installing requirements/dev.txt"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# What is measured, with its peers, in an environment of its own.
$(BENCH)/.stamp: $(BIN)/python requirements/benchmarks.txt pyproject.toml
	@echo "Installing requirements/benchmarks.txt"
	@$(BIN)/python -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip --quiet --quiet --disable-pip-version-check install --require-hashes -r requirements/benchmarks.txt
	@$(BENCH)/bin/python -m pip --quiet --quiet --disable-pip-version-check install --no-deps --no-build-isolation -e .
	@touch $@

# The fuzzer's, likewise.
build/fuzz/.stamp: $(BIN)/python requirements/fuzz.txt pyproject.toml
	@echo "Installing requirements/fuzz.txt"
	@$(BIN)/python -m venv build/fuzz
	@build/fuzz/bin/python -m pip --quiet --quiet --disable-pip-version-check install --require-hashes -r requirements/fuzz.txt
	@build/fuzz/bin/python -m pip --quiet --quiet --disable-pip-version-check install --no-deps --no-build-isolation -e .
	@touch $@
