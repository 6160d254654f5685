# Everything runs in .venv, which the first target makes from nothing but Python 3.11+, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: leaderboard test lint types format docs plain lowest clean

leaderboard: $(STAMP)
	$(BIN)/xdr leaderboard mini

# There are as many workers as cores: more threads than one in each would wait for those of the others.
test: export OMP_NUM_THREADS := 1
test: export OPENBLAS_NUM_THREADS := 1
# Trainings compute with two threads all the same: one that spins while it waits takes the core of the other worker.
test: export OMP_WAIT_POLICY := passive
# Tests begin hundreds of processes: where the environment forbids byte code, each would compile all modules anew.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadgroup $(PYTEST)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo

types: $(STAMP)
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The guide as a site, in build/docs; a page without a place in the menu, or a link that leads nowhere, is an error.
docs: $(STAMP)
	$(BIN)/mkdocs build --strict

# Before anything is made; an environment that another Python made, or one that is gone, is made anew.
NEEDED := 3.11
HAS_IT := import sys; sys.exit(sys.version_info < (3, 11))

# torch comes first and alone: the pinned version has a CPU build, an open range would pull gigabytes of CUDA packages.
$(STAMP): pyproject.toml constraints.txt
	@if ! $(BIN)/python -c '$(HAS_IT)' 2>/dev/null; then \
	    command -v "$(PYTHON)" >/dev/null || { echo "needs Python $(NEEDED) or later, and there is no '$(PYTHON)'; name one: make PYTHON=python3.12" >&2; exit 2; }; \
	    $(PYTHON) -c '$(HAS_IT)' || { echo "needs Python $(NEEDED) or later, found $$($(PYTHON) -c 'import platform; print(platform.python_version())') ($(PYTHON)); name another one: make PYTHON=python3.12" >&2; exit 2; }; \
	    rm -rf $(VENV); \
	    $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }; \
	fi
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev,docs,fast,ray,segment,train]"
	touch $(STAMP)

# What a user has who installs no extras: every command runs once.
plain:
	rm -rf build/plain && $(PYTHON) -m venv build/plain
	build/plain/bin/pip install --quiet --constraint constraints.txt torch
	build/plain/bin/pip install --quiet --constraint constraints.txt .
	build/plain/bin/python .ci/every_command.py

# The lower bounds of pyproject.toml, all at once: every command, and the tests of what is computed with other libraries.
LOWEST_TESTS := $(addprefix tests/,adapters/test_bibtex.py adapters/test_card.py dense/test_approximate.py dense/test_dense_encoder.py \
	dense/test_dense_search.py measures/test_from_grades.py measures/test_measures.py \
	measures/test_provider_measures.py recipes/test_generate_local.py runs/test_runs.py runs/test_score.py \
	submissions/test_agreement.py systems/test_bm25.py systems/test_segmentation.py tracks/test_tracks.py)
lowest:
	rm -rf build/lowest && $(PYTHON) -m venv build/lowest
	$(PYTHON) .ci/lowest.py > build/lowest.txt
	build/lowest/bin/pip install --quiet --constraint build/lowest.txt torch
	build/lowest/bin/pip install --quiet --constraint build/lowest.txt . pytest hypothesis jsonschema statsmodels
	build/lowest/bin/python .ci/every_command.py
	build/lowest/bin/python -m pytest $(LOWEST_TESTS)

clean:
	rm -rf $(VENV) build reports/site *.egg-info
