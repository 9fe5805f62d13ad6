# Two commands: `make demo` and `make test`. Both make .venv themselves and can be repeated, offline too once the
# packages are there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMP := $(VENV)/.installed

.PHONY: demo test lint lock reference clean

demo: $(STAMP)-demo
	$(BIN)/reread demo

test: $(STAMP)-test .links/reread
	@sh tests/peers.sh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile
	@sh tests/peers.sh --closing

lint: $(STAMP)-test .links/reread
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

# what is installed becomes the lock: constraints without addresses of any index
lock: $(STAMP)-test
	$(PIP) list --format=freeze --exclude reread --exclude pip --exclude setuptools --exclude uv > requirements.lock

reference: $(STAMP)-test
	$(BIN)/python -m docs.generate

clean:
	rm -rf $(VENV) .links build *.egg-info

# makes the mapped folders visible to mypy as one package
.links/reread:
	mkdir -p .links && ln -sfn .. .links/reread

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Reread needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -y -qq python3-venv && $(PYTHON) -m venv $(VENV); \
		else echo "Python has no venv here: apt-get install python3-venv"; exit 1; fi; }

$(STAMP)-%: pyproject.toml requirements.lock | $(BIN)/python
	@echo "installing Reread and what it needs ($*); minutes the first time, nothing the next"
	$(PIP) install --progress-bar on -c requirements.lock -e '.[$*]'
	@touch $@
