# What a newcomer needs: make demo, make test, make serve. All of it works in .venv.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
CLIENTS := build/clients

export SOUNDSTAGE_HOME ?= $(CURDIR)/home
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# As in the worker process: threads that wait must not spin where cores are shared.
export OMP_WAIT_POLICY ?= passive

.PHONY: demo serve test check lint format-check types imports tests web browser clients format clean

demo: $(STAMP)
	@$(BIN)/soundstage demo

serve: $(STAMP)
	@$(BIN)/soundstage serve

test: check web tests

check: lint format-check types imports

lint: $(STAMP)
	$(BIN)/ruff check .

format-check: $(STAMP)
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/basedpyright

imports: $(STAMP)
	$(BIN)/lint-imports

tests: $(STAMP) browser clients
	$(BIN)/pytest -q

# The editor: its types, its style, tests of its pure code against the service, and its build. All
# of it wants Node; the tests of its pages are skipped without a build.
web: $(STAMP)
	@if ! command -v npm >/dev/null; then \
	  echo "no Node: the editor is neither built nor tested (on Debian: apt install nodejs npm)"; \
	elif ! (cd web && { test node_modules/.package-lock.json -nt package-lock.json || \
	  npm ci --silent; }); then \
	  echo "npm cannot install what the editor needs: it is neither built nor tested"; \
	else cd web && npm run --silent types && npm run --silent lint && npm run --silent build && \
	  PYTHON=$(CURDIR)/$(BIN)/python npm run --silent test; fi

# Chromium for the tests of pages; without it they are skipped.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	    apt-get install -qq -y --no-install-recommends chromium; } >/dev/null 2>&1 || \
	  echo "no Chromium, and it cannot be installed from here: tests of pages are skipped" \
	    "(on Debian: apt install chromium)"

# Other people's programs that the tests run against the service; a missing one skips its tests.
clients: $(CLIENTS)/comfy-cli $(CLIENTS)/front-end $(CLIENTS)/stable-canvas

$(CLIENTS)/comfy-cli:
	@{ $(PYTHON) -m venv $@ && $@/bin/python -m pip install --quiet "comfy-cli>=1.23,<2"; } || \
	  { rm -rf $@; echo "comfy-cli cannot be installed: its tests are skipped"; }

$(CLIENTS)/front-end: | $(STAMP)
	@$(BIN)/python -m pip install --quiet --no-deps --target $@ "comfyui-frontend-package>=1.58,<2" || \
	  { rm -rf $@; echo "comfyui-frontend-package cannot be installed: its tests are skipped"; }

$(CLIENTS)/stable-canvas:
	@mkdir -p $@ && npm install --silent --no-save --no-package-lock --prefix $@ \
	  "@stable-canvas/comfyui-client@^1.5.9" "ws@^8" >/dev/null 2>&1 || \
	  { rm -rf $@; echo "@stable-canvas/comfyui-client cannot be installed: its tests are skipped"; }

# Makes the code look as `make test` wants it.
format: $(STAMP)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean:
	rm -rf .venv $(CLIENTS)

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
