# Everything starts here; `make help` lists it. Only Python 3.11+ (with venv) and make are needed on the machine.
PYTHON   ?= python3
SCENARIO ?= scenarios/planned-switch.yaml
LAB      ?= auto
OUT      ?= reports/out
MINUTES  ?= 60
FRAMES   ?= 1000000
SEED     ?=
CLIENTS  ?=
WORKERS  ?= 1
SECURITY ?= none
BIN      := .venv/bin
STAMP    := .venv/.installed

.DEFAULT_GOAL := help

.PHONY: help setup lock lint format test test-long drill bench clients switch-matrix soak fuzz clean

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv with all that the project needs

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Tidegate needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make setup PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lock: ## resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra lab --group dev --universal --generate-hashes --python-version 3.11 \
	  --no-annotate --upgrade --quiet --custom-compile-command "make lock" --output-file requirements.lock

lint: $(STAMP) ## ruff, mypy and the rings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: $(STAMP) ## all tests, real Kafka included
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

test-long: $(STAMP) ## what takes long: more drills, a kill in every step, a real Keycloak, a small soak
	$(BIN)/pytest -m long $(PYTEST)

drill: $(STAMP) ## run SCENARIO=... on LAB=auto|apache|embedded|docker, with WORKERS=N, SECURITY=none|tls-scram
	$(BIN)/tidegate drill run $(SCENARIO) --lab $(LAB) --out $(OUT) --workers $(WORKERS) --security $(SECURITY)

bench: $(STAMP) ## direct, bare relay, gateway and PEERS="NAME=PATH ..." side by side
	$(BIN)/python -m tests.bench $(foreach peer,$(PEERS),--peer $(peer))

soak: $(STAMP) ## mixed load for MINUTES=60: flat memory, nothing lost or doubled
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

clients: $(STAMP) ## every client through the gateway; toolchains that are missing are said
	$(BIN)/python -m tests.matrix

switch-matrix: $(STAMP) ## switchovers beneath every client (CLIENTS=A,B: only these); writes docs/switchover.md
	$(BIN)/python -m tests.switching $(if $(CLIENTS),--clients "$(CLIENTS)")

fuzz: $(STAMP) ## FRAMES=1000000 damaged frames and handshakes; SEED=... repeats a run
	$(BIN)/python -m tests.fuzz --frames $(FRAMES) $(if $(SEED),--seed $(SEED))

clean: ## remove what was made here (caches of the user stay)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache reports/out
