# Each target does its own set-up: a virtual environment with pinned, hashed dependencies, and, when root, the Debian
# packages that tests need. `make demo` and `make test` are all that a newcomer has to know.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test soak bench check format lock clean

demo: $(READY)
	$(BIN)/trunkline demo --once

test: $(READY) check
	$(BIN)/pytest -m "not soak"

soak: $(READY)
	$(BIN)/pytest -m soak

bench: $(READY)
	$(BIN)/trunkline bench

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(READY)
	$(BIN)/uv pip compile pyproject.toml --group dev --generate-hashes --no-header --no-emit-index-url \
	    --no-emit-find-links --no-annotate --python-version 3.11 --upgrade --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --constraint requirements.lock --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links --no-annotate --python-version 3.11 --output-file deploy/requirements.lock

$(READY): requirements.lock pyproject.toml tools/setup.sh
	PYTHON=$(PYTHON) tools/setup.sh $(VENV)
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
