# The commands that a person would type. Each sets up .venv from constraints.txt first, if need be.
PYTHON ?= python3
# Where torch comes from, if not from the default index: TORCH_INDEX="--index-url ADDRESS"
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help train test lint bench ui clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt $(TORCH_INDEX) torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[train,dev]"
	touch $@

help:  ## show the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

train: $(VENV)/.installed  ## the main job: prepare, fine-tune, evaluate, package, log
	$(BIN)/python scripts/train.py

test: lint  ## lint, types, layers, tests
	$(BIN)/python -m pytest

lint: $(VENV)/.installed  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed  ## how fast the model answers, beside plain transformers
	$(BIN)/python scripts/benchmark.py speed

ui: $(VENV)/.installed  ## the MLflow UI on what training logged, http://127.0.0.1:5000
	mkdir -p mlruns
	@echo "Then open http://127.0.0.1:5000/#/experiments/1?workflowType=machine_learning"
	MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false PATH="$(CURDIR)/$(BIN):$$PATH" \
	  $(BIN)/mlflow ui --host 127.0.0.1 --port 5000 --backend-store-uri sqlite:///$(CURDIR)/mlruns/mlflow.db

clean:  ## remove what the commands made, except trained bundles and the MLflow store
	rm -rf $(VENV) data/processed outputs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
