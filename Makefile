# make demo        decompose, edit and render an example photo, and say where the picture is
# make test        the whole test suite; make test-slow runs full-size models with random weights alone
# make test-lowest the same with the lowest versions of all dependencies that pyproject.toml allows
# make check       linters, types, which part imports which, how long files are and what repeats
# make bench       the benchmarks, into build/bench
# make page        build the page of eie open, from eie/open/page into eie/open/static; needs Node
# make graphs      make the ONNX graphs of the bundled networks anew
# make help-pages  regenerate COMMANDS.md from the commands' own help

PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.eie-runtime
DEVELOPMENT := $(VENV)/.eie-development
LOWEST := .venv-lowest
PIP_INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

PHOTO := examples/rocket.jpg
MOVED := box:436,110,475,410
REMOVED := box:165,110,208,400-@150,300
DEMO := build/demo
PAGE := eie/open/page

.PHONY: demo test test-slow test-lowest check bench page graphs help-pages clean

demo: $(RUNTIME)
	@mkdir -p $(DEMO)
	$(BIN)/eie decompose $(PHOTO) -o $(DEMO)/elements.h5
	$(BIN)/eie encode $(DEMO)/elements.h5
	$(BIN)/eie edit $(DEMO)/elements.h5 --move $(MOVED) -50,0 \
		--delete $(REMOVED) -o $(DEMO)/edited.h5
	$(BIN)/eie render $(DEMO)/edited.h5 -o $(DEMO)/edited.png
	@echo "The edited photo is $(CURDIR)/$(DEMO)/edited.png (before: $(PHOTO))"

test: $(DEVELOPMENT)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2  # threads of two workers would wait for each other

test-slow: $(DEVELOPMENT)
	$(BIN)/python -m pytest -m slow

test-lowest: $(LOWEST)/.installed
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -n 2

check: $(DEVELOPMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_house.py

bench: $(DEVELOPMENT)
	$(BIN)/python -m benchmarks --output build/bench

page: $(PAGE)/node_modules/.package-lock.json
	cd $(PAGE) && npm run check && npm run test && npm run build

graphs: $(DEVELOPMENT)
	$(BIN)/python -m tools.onnx_graphs

help-pages: $(RUNTIME)
	$(BIN)/python -m eie.cli.reference > COMMANDS.md

clean:
	rm -rf build

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) --editable .
	@touch $@

# uv finds the lowest versions; pip knows of newest ones only.
$(LOWEST)/.installed: pyproject.toml
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet 'uv>=0.5'
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python \
		--resolution lowest-direct --editable '.[dev]'
	@touch $@

$(PAGE)/node_modules/.package-lock.json: $(PAGE)/package-lock.json
	cd $(PAGE) && npm ci

$(DEVELOPMENT): $(RUNTIME)
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $@
