# The two commands of the front door: `make demo` and `make test`. Needs Python 3.11+, pip and make; nothing else.
PYTHON ?= python3
BIN := .venv/bin
FINOPS := $(BIN)/finops

.DEFAULT_GOAL := help
.PHONY: help demo serve lab test check environment environment-dev bench soak conformance pictures clean

help:
	@echo "make demo      a whole estate, ingested, read six ways and published (data/, reports/)"
	@echo "make serve     the published pages and the live dashboard on 127.0.0.1 (Voila)"
	@echo "make lab       the notebooks in JupyterLab on 127.0.0.1"
	@echo "make test      every test, notebooks and pages included"
	@echo "make check     lint, format and types"
	@echo "make bench     the benchmarks (see benchmarks/RESULTS.md)"
	@echo "make soak      the long form of the concurrency tests"
	@echo "make pictures  draw the README's pictures anew from the demo's pages"

environment:
	@$(PYTHON) .ci/environment.py

environment-dev:
	@$(PYTHON) .ci/environment.py --dev

demo: environment
	@$(FINOPS) demo

serve: environment
	@$(FINOPS) serve

lab: environment
	@$(FINOPS) lab

test: environment-dev
	@$(BIN)/python -m pytest -n 2 --dist worksteal

check: environment-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: environment-dev
	@$(BIN)/python benchmarks/ingest.py --quick
	@$(BIN)/python benchmarks/inform.py

soak: environment-dev
	@FINOPS_LONG_TESTS=1 $(BIN)/python -m pytest tests/store/test_concurrency.py

conformance: environment-dev
	@FINOPS_LONG_TESTS=1 $(BIN)/python -m pytest tests/ingest/test_conformance.py

pictures: environment-dev
	@$(BIN)/python docs/pictures.py

clean:
	rm -rf .venv data/workspace data/demo reports/*.html reports/results
