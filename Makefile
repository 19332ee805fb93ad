# Each target sets up what it needs by itself: Python 3.11 to 3.13, make and a package index are all it asks for.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Two weeks of cooling-off before a release may enter the lock.
CUTOFF ?= $(shell date -u -d '14 days ago' +%F 2>/dev/null || date -u -v-14d +%F)

.DEFAULT_GOAL := help
.PHONY: help install report publish test faults contract lab lint format bench lock clean

help:                ## List the targets
	@grep -E '^[a-z]+: .*##|^[a-z]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */: /'

# uv installs in half the time: the machine's, or the lock's, told where pip finds packages (all of its indexes count, as with
# pip; hashes tell what is right). Where it can't, pip does all of it: the same lock and the same hashes either way.
# Packages are compiled once, here, by all cores: a process that may not keep what it compiles would do so each time
# (TensorFlow: 13 s). Where that fails, Python does it by itself.
# The lock is whole, so nothing is resolved again: pip would otherwise stumble over extras (coverage[toml]) that the lock
# pins without naming them.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "This project needs Python 3.11, 3.12 or 3.13; $(PYTHON) is %d.%d. Name another one: make PYTHON=python3.12 report" % v)'
	@echo "Setting up $(VENV) from requirements.txt (a few minutes, once)"
	$(PYTHON) -m venv --clear $(VENV)
	@export PATH="$(CURDIR)/$(BIN):$$PATH"; pip="$(BIN)/python -m pip --quiet --disable-pip-version-check"; \
	asked() { $(BIN)/python -m pip config list 2>/dev/null | sed -n "s/^global\.$$1='\(.*\)'$$/\1/p" | sed 's/\\n/ /g'; }; \
	command -v uv >/dev/null 2>&1 || { sed -n '/^uv==/,/^    # /p' requirements.txt > $(VENV)/uv.txt && \
	    $$pip install --require-hashes --no-deps -r $(VENV)/uv.txt ; } || true ; \
	export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$(asked index-url)}}" ; \
	export UV_INDEX="$${UV_INDEX:-$${PIP_EXTRA_INDEX_URL:-$$(asked extra-index-url)}}" ; \
	export UV_FIND_LINKS="$${UV_FIND_LINKS:-$${PIP_FIND_LINKS:-$$(asked find-links)}}" ; \
	cert="$${SSL_CERT_FILE:-$${PIP_CERT:-$$(asked cert)}}" ; [ -z "$$cert" ] || export SSL_CERT_FILE="$$cert" ; \
	export UV_INDEX_STRATEGY="$${UV_INDEX_STRATEGY:-unsafe-best-match}" ; \
	into="--quiet --no-config --python $(BIN)/python --no-deps" ; \
	{ uv pip install $$into --compile-bytecode --require-hashes -r requirements.txt && \
	    uv pip install $$into --no-build-isolation -e . ; } || \
	{ $$pip install --no-compile --require-hashes --no-deps -r requirements.txt && \
	    { $(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true ; } && \
	    $$pip install --no-deps --no-build-isolation -e . ; }
	@touch $@

install: $(READY)    ## Set up .venv with everything that the project needs

report: $(READY)     ## Get the data, run the notebooks, write reports/index.html and two PDFs
	$(BIN)/python run_notebooks.py $(ARGS)

publish: $(READY)    ## Check that the rendered report may be published, and bring README into step with it
	$(BIN)/python -m lib.report.publishing

# Those that execute the real plan have all cores to themselves, as it uses them. Exit code 5: ARGS names none of them.
test: $(READY)       ## Run every test
	$(BIN)/python -m pytest -n logical --dist loadfile -m "not end_to_end" $(ARGS) || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m end_to_end $(ARGS) || [ $$? -eq 5 ]

faults: $(READY)     ## Put in every fault of tests/faults (minutes), and count what each kind comes to in reports/data/faults.csv
	$(BIN)/python -m tests.faults $(ARGS)

contract: $(READY)   ## Run the tests that every model must pass on MODEL=my_module:MyModel
	@test -n "$(MODEL)" || { echo "Name your class: make contract MODEL=my_module:MyModel"; exit 2; }
	$(BIN)/python run_notebooks.py --model "$(MODEL)" --contract

# jupyter/ holds the start page's address, the settings and the kernels' autoreload.
lab: $(READY)        ## Open JupyterLab on its start page, notebooks/START.md
	JUPYTER_CONFIG_PATH="$(CURDIR)/jupyter" IPYTHONDIR="$(CURDIR)/jupyter/ipython" \
	    $(BIN)/jupyter lab --notebook-dir=notebooks $(ARGS)

lint: $(READY)       ## Check style and format of code and notebooks, and the library's types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)     ## Mend what can be mended of it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)      ## Measure speed against the peers (minutes) into reports/data/benchmarks.csv
	$(BIN)/python -m benchmarks $(ARGS)

lock:                ## Resolve requirements.in into requirements.txt and environment.yml
	PATH="$(CURDIR)/$(BIN):$$PATH" uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	    --no-emit-index-url --no-header --exclude-newer $(CUTOFF) requirements.in -o requirements.txt
	$(PYTHON) -m lib.report.environment

clean:               ## Remove the environment, caches and runs; data/raw and the rendered report stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .coverage reports/runs reports/by_hand reports/own reports/reruns *.egg-info
