# Each target does its own set-up: a virtual environment with pinned, hashed dependencies, and, when root, the Debian
# packages that tests need. `make demo` and `make test` are all that a newcomer has to know.
# `make PYTHON=...` for another Python 3.11 than the one that tools/setup.sh chooses.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
VOICE_VENV := .venv-voice
VOICE_READY := $(VOICE_VENV)/.ready
# What the frameworks' packages ask for and no test reaches, as it works on sound: a third of a gigabyte.
SILENT := docopt flatbuffers llvmlite numba onnxruntime resampy

# The path of a call as machine code, made anew whenever a source that it may hang on has changed: see setup.py.
# `TRUNKLINE_COMPILE=0 make ...` does without.
COMPILED := build/.compiled
CALL_PATH := setup.py pyproject.toml $(shell find src/trunkline -name '*.py' -not -path '*/cli/*' -not -path '*/control/*' \
    -not -path '*/simulator/*' -not -path '*/supervisor/*')
BUILT := $(if $(filter 0,$(TRUNKLINE_COMPILE)),pure,$(COMPILED))

.PHONY: demo test test-voice soak bench compiled pure check format lock clean

demo: $(READY) $(BUILT)
	$(BIN)/trunkline demo --once

test: $(READY) $(BUILT) check
	$(BIN)/pytest -m "not soak"

# The frameworks are installed only there, and what they themselves use that is deprecated is their own affair.
test-voice: $(BUILT) $(VOICE_READY)
	$(VOICE_VENV)/bin/pytest -W ignore::DeprecationWarning tests/voice

soak: $(READY) $(BUILT)
	$(BIN)/pytest -m soak

bench: $(READY) $(BUILT)
	$(BIN)/trunkline bench

compiled: $(COMPILED)

$(COMPILED): $(READY) $(CALL_PATH)
	$(BIN)/python setup.py --quiet build_ext --inplace
	mkdir -p $(@D) && test ! -f src/trunkline/compiled.json || touch $@

pure:
	find src -name '*.so' -delete
	rm -rf build src/trunkline/compiled.json

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
	$(BIN)/uv pip compile pyproject.toml --group voice --constraint requirements.lock --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links --no-annotate --python-version 3.11 $(addprefix --no-emit-package ,$(SILENT)) \
	    --output-file requirements-voice.lock

$(READY): requirements.lock pyproject.toml tools/setup.sh
	PYTHON="$(PYTHON)" tools/setup.sh $(VENV)
	touch $@

$(VOICE_READY): requirements-voice.lock pyproject.toml tools/setup.sh
	PYTHON="$(PYTHON)" tools/setup.sh $(VOICE_VENV) requirements-voice.lock
	touch $@

clean: pure
	rm -rf $(VENV) $(VOICE_VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
