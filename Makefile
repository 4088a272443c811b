# make demo: the whole job on the course's line and on a real table.  make test: every check that Python alone can make.
# make deploy-test: the same model in C, C++, Node and a browser; needs the system's tools, and names those that are missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

DEPLOY_BUILD := deploy/build

# Every package that is installed, at its version; that of a build of torch's, +cpu say, is not part of it.
FREEZE := { echo '\# Made by `make constraints`; .ci/run sees that it names all that gets installed.'; \
  $(BIN)/python -m pip freeze --all --exclude pip --exclude-editable | sed 's/+[a-z0-9.]*$$//'; }

.PHONY: setup demo test check check-constraints constraints format benchmark deploy-tools deploy-build deploy-test clean

setup: $(STAMP)

# torch is installed first and alone: any other request for it may bring gigabytes of CUDA packages.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || \
	  { echo "error: Python 3.11 or 3.12 is needed, got $$($(PYTHON) --version); name another with: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt hatchling
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	touch $(STAMP)

demo: setup
	$(BIN)/linreg demo

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A file of tests stays in one process, and with it what its tests share.
test: check
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# What is installed is what is pinned. A tool of your own in .venv is a difference too: so it is no part of `make check`.
check-constraints: setup
	@$(FREEZE) | diff constraints.txt - || \
	  { echo "error: constraints.txt is not what is installed; install what it says, or write it anew: make constraints" >&2; exit 1; }

# After a change of the dependencies in pyproject.toml, or to take newer versions: remove the lines to be chosen anew first.
constraints: setup
	@$(FREEZE) > constraints.new && grep -q '^torch==' constraints.new && mv constraints.new constraints.txt

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
	$(BIN)/python -m bench.programs.summary deploy artifacts/reference/penguins

clean:
	rm -rf $(VENV) dist $(DEPLOY_BUILD) deploy/node/node_modules deploy/web/node_modules
