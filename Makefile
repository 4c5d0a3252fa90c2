# Everything a checkout needs. Works with GNU Make 3.81 (macOS) and later.
.PHONY: help demo test soak lint format bench lock clean
.DEFAULT_GOAL := help
# Where it is set, every process that a test starts would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

help:
	@echo "make demo    the whole job on a local Render: load rises, the plan follows, load falls, it goes back"
	@echo "make test    the test suite"
	@echo "make soak    ten minutes of random faults and load, with every invariant checked"
	@echo "make lint    ruff, mypy strict, import-linter"
	@echo "make format  let ruff rewrite what it can"
	@echo "make bench   the benchmarks, each beside its floor"
	@echo "make lock    write both lock files anew (needs uv on the PATH)"
	@echo "make clean   remove the environment and all caches"

# Tried by running, newest first: a shim on the PATH may have no interpreter behind it.
$(READY): requirements-dev.lock pyproject.toml app_core/pyproject.toml
	@set -e; \
	for name in $(PYTHON) python3.14 python3.13 python3.12 python3.11 python3; do \
	  if $$name -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "No Python 3.11 to 3.14 with venv was found. Install one (Debian and Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13), or name it: make PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$($$python --version) ..."; \
	rm -rf $(VENV); $$python -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e ./app_core; \
	touch $(READY)

demo: $(READY)
	@$(BIN)/autoscaler demo

test: $(READY)
	@$(BIN)/python -m pytest -q -n 4 --dist worksteal

soak: $(READY)
	@$(BIN)/python -m tests.support.soak

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY)
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(READY)
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lock:
	uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-find-links --upgrade -o requirements.lock
	uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-find-links --upgrade --group dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .schemathesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
