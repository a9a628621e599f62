# Two commands for a fresh machine with Python 3.11, 3.12 or 3.13: `make demo` and `make test`.

# The first of these that starts and can make a virtual environment; 3.11 first, for it is what CI tests.
USABLE := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
ifndef PYTHON
PYTHON := $(shell for name in python3.11 python3.12 python3.13 python3; do \
	if $$name -c '$(USABLE)' 2>/dev/null; then echo $$name; break; fi; done)
endif
BIN := .venv/bin
# setuptools says in twelve lines that a strict editable installation must not lose build/, which is what is wanted.
PIP := PYTHONWARNINGS='ignore:Editable installation' $(BIN)/python -m pip install --quiet
ALL := '.[train,dev,browser,docs]'
JOBS ?= 3
# setuptools tells of every file that it links; what it says is shown where something went wrong.
QUIETLY = log=$$(mktemp); if $(1) >$$log 2>&1; then rm -f $$log; else cat $$log >&2; rm -f $$log; exit 1; fi
CORPUS ?= ../shared/corpus

.PHONY: install demo test wheel-test soak lint types bench docs docs-serve clean

install: .venv/installed

.venv/installed: pyproject.toml setup.cfg constraints.txt
	@$(if $(PYTHON),$(PYTHON) -c '$(USABLE)',false) || { echo 'expected Python 3.11, 3.12 or 3.13 with its venv module: install one' \
		'(Debian: apt install python3.11-venv) or name one: make PYTHON=/path/to/python' >&2; exit 1; }
	@echo "1 of 3: a virtual environment, .venv, with $(PYTHON)"
	@$(PYTHON) -m venv .venv
	@$(PIP) --constraint constraints.txt pip setuptools wheel
	@echo '2 of 3: PyTorch, some minutes'
	@$(PIP) --constraint constraints.txt torch==2.13.0
	@echo '3 of 3: llama-data and what else it needs, some minutes'
	@$(call QUIETLY,$(PIP) --constraint constraints.txt --editable $(ALL))
	@touch $@

demo: install
	@echo 'llama-data quickstart demo: sample dumps of seven domains to a trained tiny model, some minutes'
	@$(BIN)/llama-data quickstart demo

test: install
	@$(call QUIETLY,$(PIP) --no-deps --no-build-isolation --editable .)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

# The wheel, in an environment of its own, where the repository is not.
wheel-test: install
	LLAMA_DATA_INSTALL_WHEEL=1 $(BIN)/python -m pytest tests/e2e/test_wheel.py

# Hours: damage, kills, full disks and pairs of commands, each with many seeds (docs/reliability.md).
SOAK ?= --first 0
soak: install
	@$(PIP) --no-deps --no-build-isolation --editable .
	$(BIN)/python tests/faults/soak.py $(SOAK)
	$(BIN)/python tests/faults/soak_models.py $(SOAK)
	LLAMA_DATA_SOAK=1 $(BIN)/python -m pytest --timeout 0 $(addprefix tests/faults/test_,any_bytes.py memory.py s3.py)
	$(BIN)/python tests/faults/soak_kills.py $(SOAK)
	$(BIN)/python tests/faults/soak_full.py $(SOAK)
	$(BIN)/python tests/faults/soak_pairs.py $(SOAK)
	@if $(BIN)/python -c 'import ray' 2>/dev/null; then $(BIN)/python tests/faults/soak_kills.py $(SOAK) --executor ray; \
	else echo 'kills on Ray: skipped, for ray is not installed (extra `ray`)'; fi

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

bench: install
	@$(PIP) --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/run.py --corpus $(CORPUS)

# MkDocs is told to leave out its word on the next version.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo 'build/site/index.html'

docs-serve: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --no-strict

clean:
	rm -rf .venv build demo
