# Everything runs from a virtual environment of its own, made from the hash-pinned lock on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint bench bench-large campaign clean

demo: $(READY)
	$(BIN)/segmentd demo

# Three workers also on two cores: some tests wait for the real clock. In their own order: else the longest, which are alone in
# their scopes, come last, and one worker ends by itself.
test: lint
	$(BIN)/pytest -n 3 --dist loadscope --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@! grep -rnwiE "users?|subscribers?|providers?|taps?|cohorts?|bookmarks?" sync --include=*.py || (echo "use the glossary's word" && false)

bench: $(READY)
	$(BIN)/python -m benchmarks

bench-large: $(READY)
	$(BIN)/python -m benchmarks --large

campaign: $(READY)
	$(BIN)/pytest -n 2 -m "campaign or special"

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("segmentd needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
