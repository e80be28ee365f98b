# What a newcomer needs: make demo, make test, make serve. All of it works in .venv.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

export SOUNDSTAGE_HOME ?= $(CURDIR)/home
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# As in the worker process: threads that wait must not spin where cores are shared.
export OMP_WAIT_POLICY ?= passive

.PHONY: demo serve test check lint format-check types imports tests format clean

demo: $(STAMP)
	@$(BIN)/soundstage demo

serve: $(STAMP)
	@$(BIN)/soundstage serve

test: check tests

check: lint format-check types imports

lint: $(STAMP)
	$(BIN)/ruff check .

format-check: $(STAMP)
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/basedpyright

imports: $(STAMP)
	$(BIN)/lint-imports

tests: $(STAMP)
	$(BIN)/pytest -q

# Makes the code look as `make test` wants it.
format: $(STAMP)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean:
	rm -rf .venv

# Runs again only when pyproject.toml has changed.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Soundstage needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo "python3 cannot make a virtual environment; on Debian: apt install python3-venv"; exit 1; }
	@echo "installing into .venv (once; torch is large)"
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@
