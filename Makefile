# Everything runs in a virtual environment of its own, .venv, made when first needed
# and brought up to date when pyproject.toml changes.
#
#   make demo         real calls of the openai package, recorded, delivered and shown
#   make test         the test suite, with its branch coverage
#   make lint         style and types
#   make format       put the style right
#   make serve        a local Libretto on port 4620
#   make docs         the documentation's pages, in site/
#   make dist         what is to be published, in dist/, as installed and tested
#   make compat       many versions of openai, wrapt and Python, each in a place of its own
#   make neighbours   openai's own tests, frameworks, other patchers, prefork servers
#   make bench        what recording costs, beside bare calls
#   make clean        remove what the above made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := libretto_instrument libretto_openai
CODE := $(PACKAGES) tests tools noxfile.py $(wildcard benchmarks examples)

# Two cores are what the suite is made for; more hardly help.
PARALLEL ?= -n 2 --dist worksteal

# Without pip's own news, what the command was run for stands out.
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.DEFAULT_GOAL := test
.PHONY: demo test lint format serve docs dist compat neighbours bench clean

demo: $(VENV)/.collector
	@$(BIN)/libretto-instrument demo $(ARGS)

serve: $(VENV)/.collector
	@$(BIN)/libretto-instrument serve $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term --cov-fail-under=95 $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/mypy --ignore-missing-imports --allow-untyped-decorators examples
	$(BIN)/python tools/build_surface.py --check
	$(BIN)/python tools/build_settings.py --check

format: $(VENV)/.dev
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

# The variable spares us the news of another program at each build.
docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS)

dist: $(VENV)/.dev
	$(BIN)/nox -s wheel $(ARGS)
	mkdir -p dist
	cp .nox/wheel/tmp/*.whl .nox/wheel/tmp/*.tar.gz dist

compat: $(VENV)/.dev
	$(BIN)/nox $(ARGS)

neighbours: $(VENV)/.dev
	$(BIN)/nox -s openai_suite frameworks patchers preforkers $(ARGS)

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/overhead.py $(ARGS)

clean:
	rm -rf $(VENV) .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf build dist site .nox .bench

$(BIN)/python:
	@echo "Making $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.collector: pyproject.toml | $(BIN)/python
	@echo "Installing what the demonstration needs …"
	@$(PIP) install --editable '.[collector]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing what the tests need …"
	@$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/.collector
