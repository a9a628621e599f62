# Two commands for a fresh machine with Python 3.11 and a C++ compiler: `make demo` and `make test`.
PYTHON ?= python3.11
BIN := .venv/bin
CORPUS ?= ../shared/corpus

.PHONY: install demo test lint types bench clean

install: .venv/installed

.venv/installed: pyproject.toml setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip setuptools wheel
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,dev]'
	touch $@

demo: install
	$(BIN)/llama-data quickstart demo

test: install
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

bench: install
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/run.py --corpus $(CORPUS)

clean:
	rm -rf .venv build demo
