# make demo          train, export, verify and benchmark a line and a real table
# make test          every check that needs nothing but Python: format, lint, types, layers, tests
# make real          what the export of real networks costs beside a plain script; in an environment of its own
# make ray-test      the fit and the prediction on a Ray of this machine; in an environment of its own
# make s3-test       tables in the S3 of moto on this machine; in an environment of its own
# make docs          build the documentation in site/
# make deploy-processors  model.c on processors that you do not own, under qemu; needs Python alone, and names what is missing
# make deploy-test   the same model in C, C++, C#, Go, Java, Rust, Node, a browser and PostgreSQL; names the system packages that are missing
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
REAL := .venv-real
RAY := .venv-ray
S3 := .venv-s3

DEPLOY_BUILD := deploy/build
# Callers of deploy/c's shared library.
CALLERS := rust go csharp java

# Every installed package with its version, without a build label such as torch's +cpu.
FREEZE := { echo '\# Made by `make constraints`; .ci/run checks that it pins every installed package.'; \
  $(BIN)/python -m pip freeze --all --exclude pip --exclude-editable | sed 's/+[a-z0-9.]*$$//'; }

.PHONY: setup demo test test-slow check check-constraints constraints format benchmark real ray-test s3-test docs record-docs deploy-tools deploy-build deploy-test deploy-processors source-code-cost deploy-sql clean

setup: $(STAMP)

# torch comes first and alone: any other request for it may pull in gigabytes of CUDA packages.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || \
	  { echo "error: expected Python 3.11 or 3.12, got $$($(PYTHON) --version); choose another with: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt hatchling
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[all,dev,docs]'
	touch $(STAMP)

demo: setup
	$(BIN)/linreg demo

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# loadfile keeps the tests of one file in one process, so that they share their fixtures. With two processes on two
# cores, a second thread would wait for the first; `make test-slow` runs with the threads that torch chooses.
test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "not slow"

# What installs packages or runs for long: every block of the docs, random exports, commands beside files named like ours.
test-slow: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m slow

# The installed packages must match constraints.txt. Not part of `make check`, which works with your own tools in .venv.
check-constraints: setup
	@$(FREEZE) | diff constraints.txt - || \
	  { echo "error: the installed packages differ from constraints.txt; install those that it lists, or rewrite it: make constraints" >&2; exit 1; }

# Run this after changing dependencies in pyproject.toml. To upgrade a package, remove its line first.
constraints: setup
	@$(FREEZE) > constraints.new && grep -q '^torch==' constraints.new && mv constraints.new constraints.txt

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: setup
	$(BIN)/python -m pytest --benchmark-only --benchmark-disable-gc
	$(BIN)/python -m pytest --benchmark-only --benchmark-disable-gc tests/benchmark/long

# Writes tests/real/RESULTS.md, network by network; NETWORKS names those to measure again. No weights are downloaded.
real: $(REAL)/.installed
	$(REAL)/bin/python -m tests.real.measure $(NETWORKS)

# pip knows dependency groups since 25.1.
$(REAL)/.installed: pyproject.toml constraints.txt tests/real/constraints.txt
	test -x $(REAL)/bin/python || $(PYTHON) -m venv $(REAL)
	$(REAL)/bin/python -m pip install --quiet 'pip>=25.1'
	$(REAL)/bin/python -m pip install --quiet --constraint constraints.txt torch
	$(REAL)/bin/python -m pip install --quiet --constraint constraints.txt hatchling
	$(REAL)/bin/python -m pip install --quiet --constraint constraints.txt --constraint tests/real/constraints.txt \
	  --no-build-isolation --editable '.[all]' --group real
	touch $(REAL)/.installed

# Makes an environment that has the packages of .venv, and prefers its own.
define on_top_of_venv
test -x $(1)/bin/python || $(BIN)/python -m venv $(1)
$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
  > "$$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/venv.pth"
endef

ray-test: $(RAY)/.installed
	$(RAY)/bin/python -m pytest tests/ray

# What .venv holds, and Ray on top of it.
$(RAY)/.installed: $(STAMP) tests/ray/constraints.txt
	$(call on_top_of_venv,$(RAY))
	$(RAY)/bin/python -m pip install --quiet --constraint constraints.txt --constraint tests/ray/constraints.txt ray
	touch $(RAY)/.installed

s3-test: $(S3)/.installed
	OMP_NUM_THREADS=1 $(S3)/bin/python -m pytest tests/s3

# What .venv holds, and moto's server on top of it, without what moto needs for other services than S3.
$(S3)/.installed: $(STAMP) tests/s3/constraints.txt
	$(call on_top_of_venv,$(S3))
	$(S3)/bin/python -m pip install --quiet --constraint tests/s3/constraints.txt 'moto[s3]' flask flask-cors
	touch $(S3)/.installed

# Strict: a broken link or anchor is an error.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "open site/index.html; search needs a server: python3 -m http.server --directory site"

# Run every block of the README and docs, and the tutorial, and store what they print. PAGES names some of them.
record-docs: setup
	$(BIN)/python -m tests.docs.record $(PAGES)

deploy-tools:
	@missing=$$(deploy/missing); test -z "$$missing" || \
	  { echo "error: missing for deploy/: $$missing; install: apt-get install --no-install-recommends $$missing" >&2; exit 1; }

deploy-build: setup deploy-tools
	cmake -S deploy/c -B $(DEPLOY_BUILD)/c -DPython3_EXECUTABLE=$(abspath $(BIN))/python
	cmake --build $(DEPLOY_BUILD)/c
	for caller in $(CALLERS); do $(MAKE) -C deploy/$$caller || exit 1; done
	cmake -S deploy/libtorch -B $(DEPLOY_BUILD)/libtorch -DCMAKE_PREFIX_PATH=$$($(BIN)/python -c 'import torch; print(torch.utils.cmake_prefix_path)')
	cmake --build $(DEPLOY_BUILD)/libtorch --parallel 2
	npm ci --ignore-scripts --no-audit --no-fund --prefix deploy/node
	npm ci --ignore-scripts --no-audit --no-fund --prefix deploy/web

deploy-test: deploy-build
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile tests/deploy
	$(BIN)/python -m bench.programs.summary deploy artifacts/reference/penguins

# BUNDLES names others than the committed ones.
deploy-processors:
	$(PYTHON) deploy/processors/check.py $(BUNDLES)

# A small network as C: bytes on a Cortex-M4F, and time beside ONNX Runtime's C API; FILE takes the table.
source-code-cost: setup
	$(BIN)/python -m pytest -q --benchmark-only --benchmark-disable-gc --source-code $(or $(FILE),/dev/null) \
	  tests/benchmark/long/test_source_code.py -s

# A part of deploy-test: model.sql in a PostgreSQL of its own. SQLite and DuckDB are in `make test`.
deploy-sql: setup deploy-tools
	$(BIN)/python -m pytest tests/deploy/test_sql_postgres.py

clean:
	rm -rf $(VENV) $(REAL) $(RAY) $(S3) dist site $(DEPLOY_BUILD) deploy/node/node_modules deploy/web/node_modules
