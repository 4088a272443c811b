# make demo: the whole job on the course's line and on a real table.  make test: every check that Python alone can make.
# make deploy-test: the same model in C, C++, Node and a browser; needs the system's tools, and names those that are missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

DEPLOY_BUILD := deploy/build

.PHONY: setup demo test check format benchmark deploy-tools deploy-build deploy-test clean

setup: $(STAMP)

# torch is installed first and alone: any other request for it may bring gigabytes of CUDA packages.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || \
	  { echo "error: Python 3.11 or 3.12 is needed, got $$($(PYTHON) --version); name another with: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

demo: setup
	$(BIN)/linreg demo

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/python -m pytest

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: setup
	$(BIN)/python -m pytest --benchmark-only --benchmark-disable-gc
	$(BIN)/python -m pytest --benchmark-only --benchmark-disable-gc tests/benchmark/long

deploy-tools:
	@missing=$$(deploy/missing); test -z "$$missing" || \
	  { echo "error: missing for deploy/: $$missing; install: apt-get install --no-install-recommends $$missing" >&2; exit 1; }

deploy-build: setup deploy-tools
	cmake -S deploy/c -B $(DEPLOY_BUILD)/c -DPython3_EXECUTABLE=$(abspath $(BIN))/python
	cmake --build $(DEPLOY_BUILD)/c
	cmake -S deploy/libtorch -B $(DEPLOY_BUILD)/libtorch -DCMAKE_PREFIX_PATH=$$($(BIN)/python -c 'import torch; print(torch.utils.cmake_prefix_path)')
	cmake --build $(DEPLOY_BUILD)/libtorch --parallel 2
	npm ci --ignore-scripts --no-audit --no-fund --prefix deploy/node
	npm ci --ignore-scripts --no-audit --no-fund --prefix deploy/web

deploy-test: deploy-build
	$(BIN)/python -m pytest tests/deploy
	$(BIN)/python -m bench.runtime_summary deploy artifacts/reference/penguins

clean:
	rm -rf $(VENV) dist $(DEPLOY_BUILD) deploy/node/node_modules deploy/web/node_modules
