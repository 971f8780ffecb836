# The commands of the project. Everything is installed into .venv, from wheels, with the pip configuration of whoever
# runs it; a stamp file says what is installed already, so a second run starts at once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CODE := mixnet mixnode
# Without the rules that are off by default (ASYNC9), one that asks for configuration only (114), and one that doesn't
# follow task_status into the function that it is handed to (128). It is slow, so files without a coroutine are left out.
ASYNC := --disable ASYNC9,ASYNC114,ASYNC128
# Tests start hundreds of processes: each would compile all of its modules again.
unexport PYTHONDONTWRITEBYTECODE
# What people use, but for measuring: `make demo` brings it, so that the next command just works.
PEOPLE := codes,tui,ui,notify,voice,pictures
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet

.PHONY: help extras demo test long mutants lint types coroutines bench soak fortnight architecture oracle browser bus screenshots clean

help:
	@echo "make demo    a real mixnet on this machine, two people who talk through it, and a summary"
	@echo "make test    every check and every test"
	@echo "make long    the tests that take a minute or more each: two days of ten people"
	@echo "make mutants whether the tests notice small changes of the code: ROOM=client/arq SAMPLE=100"
	@echo "make lint    the checks without the tests"
	@echo "make bench   privacy, latency and cost, measured in minutes: the report is in report/"
	@echo "make soak    ten minutes of short epochs, with two authorities killed on the way"
	@echo "make fortnight  two weeks of ten people in virtual time, with crashes and outages; up to an hour"
	@echo "make architecture  draw the rooms in docs/architecture.md anew, from the imports"
	@echo "make screenshots  take the pictures of the pages in docs/pictures anew: ONLY=observe"
	@echo "make extras  install what measuring needs, too"
	@echo "make clean   remove what these commands made"

demo: $(VENV)/.installed
	@$(BIN)/mixnet demo

test: lint oracle browser bus
	@$(BIN)/python -m pytest -n auto --dist worksteal

long: $(VENV)/.installed-test
	@$(BIN)/python -m pytest -n auto --dist worksteal -m long

# Each room takes from ten minutes to an hour and more on two cores: docs/mutants.md.
mutants: $(VENV)/.installed-mutants
	@$(BIN)/python -m tests.mutants $(ROOM) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(ONLY),--only $(foreach name,$(ONLY),'$(name)'))

lint: $(VENV)/.installed-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory --output-sync=target -j 2 types coroutines

types: $(VENV)/.installed-test
	@$(BIN)/mypy
	@$(BIN)/mypy --no-error-summary docs/programs/*.py

coroutines: $(VENV)/.installed-test
	@grep -rlZ --include='*.py' 'async ' $(CODE) | xargs -0 -n 16 -P 2 $(BIN)/flake8-async $(ASYNC)

bench: $(VENV)/.installed-bench
	@$(BIN)/mixnet bench sphinx
	@$(BIN)/mixnet bench all --quick --out report
	-@$(BIN)/mixnet bench history --remember

soak: $(VENV)/.installed
	@$(BIN)/python -m mixnet.deploy.soak

fortnight: $(VENV)/.installed-test
	@$(BIN)/python -m tests.client.days --days 14

architecture: $(VENV)/.installed-test
	@$(BIN)/python -m tests.architecture

# The reference implementation of Sphinx, that the tests compare with. It has no wheels, and its own metadata would
# replace msgpack by an old fork that shares its files: what it needs comes with the extra, then these two come alone.
oracle: $(VENV)/.installed-test
	@if [ ! -f $(VENV)/.installed-oracle ]; then \
		if $(PIP) install --no-deps petlib==0.0.45 sphinxmix==0.0.7; then touch $(VENV)/.installed-oracle; \
		elif [ -n "$$CI" ]; then echo "sphinxmix could not be built: see above"; exit 1; \
		else echo "sphinxmix could not be built (it needs gcc and OpenSSL's headers): its tests are left out"; fi; fi
	@$(BIN)/python -c "import msgpack; assert msgpack.version >= (1, 0), 'msgpack was replaced by an old fork'"

# What the tests of pages open them with.
browser:
	@if ! command -v chromium >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install --yes --no-install-recommends chromium >/dev/null; then :; \
		elif [ -n "$$CI" ]; then echo "chromium could not be installed: see above"; exit 1; \
		else echo "there is no chromium (apt-get install chromium): the tests of pages in a browser are left out"; fi; fi

# The bus of desktop sessions, from Debian: notices are tried on a real one.
bus:
	@command -v dbus-daemon >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install --yes --no-install-recommends dbus-daemon >/dev/null; } \
		|| if [ -n "$$CI" ]; then echo "dbus-daemon could not be installed"; exit 1; \
		else echo "dbus-daemon isn't installed: the tests of notices on a real bus are left out"; fi

# docs/pictures/, of real networks: look at them before you commit them.
screenshots: $(VENV)/.installed-test browser
	@$(BIN)/python -m tests.pictures $(ONLY)

$(BIN)/python:
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "installing the mixnet into $(VENV)"
	@$(PIP) install --prefer-binary --editable '.[$(PEOPLE)]'
	@touch $@

extras: $(VENV)/.installed-bench

$(VENV)/.installed-bench: pyproject.toml | $(BIN)/python
	@echo "installing the mixnet and what it measures with into $(VENV)"
	@$(PIP) install --prefer-binary --editable '.[bench,$(PEOPLE)]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	@echo "installing the mixnet and the tools of its tests into $(VENV)"
	@$(PIP) install --prefer-binary --editable '.[test,bench,oracle,$(PEOPLE)]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-bench

$(VENV)/.installed-mutants: pyproject.toml | $(VENV)/.installed-test
	@echo "installing what changes the code into $(VENV)"
	@$(PIP) install --prefer-binary --editable '.[mutants]'
	@touch $@

clean:
	rm -rf $(VENV) mutants build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find $(CODE) tests -name __pycache__ -type d -prune -exec rm -rf {} +
