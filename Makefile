# Every command sets up what it needs, on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORTFOLIO ?=
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: demo test test-slow check format install app clean

demo: $(VENV)/.installed  ## a portfolio becomes a style, and the style makes pictures: one HTML page
	$(BIN)/artlab demo $(if $(PORTFOLIO),"$(PORTFOLIO)")

test: $(VENV)/.installed  ## the tests, without a network
	$(BIN)/python -m pytest -m "not slow and not gpu and not download" $(ARGS)

test-slow: $(VENV)/.installed  ## the long proofs: kill and resume in number, training that must learn
	$(BIN)/python -m pytest -m slow $(ARGS)

check: $(VENV)/.installed  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

app: $(VENV)/.installed  ## the page in the browser
	$(BIN)/python app.py

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "artlab needs Python 3.11 or newer; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
