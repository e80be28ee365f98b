# What a newcomer needs: make demo, make test, make serve. All of it works in .venv.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
CLIENTS := build/clients

export SOUNDSTAGE_HOME ?= $(CURDIR)/home
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# As in the worker process: threads that wait must not spin where cores are shared.
export OMP_WAIT_POLICY ?= passive
# Where it is set, each of the hundreds of processes of the tests compiles all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo serve test test-exhaustive check lint format-check types imports tests web browser clients pictures format clean

demo: $(STAMP)
	@$(BIN)/soundstage demo

serve: $(STAMP)
	@$(BIN)/soundstage serve

# The checks, the editor and what tests fetch side by side, as each keeps one core busy or none;
# the tests want all of them.
test:
	@$(MAKE) --no-print-directory -j 3 check web browser clients
	@$(MAKE) --no-print-directory tests

check: lint format-check types imports

lint: $(STAMP)
	$(BIN)/ruff check .

format-check: $(STAMP)
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/basedpyright

imports: $(STAMP)
	$(BIN)/lint-imports

# Three processes, as tests of pages mostly wait, with one thread each for torch; a file's tests
# stay together, as they share services and loaded models. Slow files come first (tests/conftest.py).
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder

tests: $(STAMP) browser clients
	$(PYTEST)

# With the cases that the tests above let a chosen few stand for.
test-exhaustive: $(STAMP) browser clients
	$(PYTEST) -m ""

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
	@command -v chromium-headless-shell >/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	    { apt-get install -qq -y --no-install-recommends chromium-headless-shell || \
	      command -v chromium || apt-get install -qq -y --no-install-recommends chromium; }; \
	  } >/dev/null 2>&1 || command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  echo "no Chromium, and it cannot be installed from here: tests of pages are skipped" \
	    "(on Debian: apt install chromium-headless-shell)"

# Other people's programs that the tests run against the service; a missing one skips its tests.
COMFY_CLI := $(CLIENTS)/comfy-cli
FRONT_END := $(CLIENTS)/front-end
STABLE_CANVAS := $(CLIENTS)/stable-canvas

clients: $(COMFY_CLI)/bin/comfy \
  $(FRONT_END)/comfyui_frontend_package/static/index.html \
  $(STABLE_CANVAS)/node_modules/@stable-canvas/comfyui-client/package.json

$(COMFY_CLI)/bin/comfy:
	@{ $(PYTHON) -m venv $(COMFY_CLI) && \
	  $(COMFY_CLI)/bin/python -m pip install --quiet --retries 1 "comfy-cli>=1.23,<2"; } || \
	  { rm -rf $(COMFY_CLI); echo "comfy-cli cannot be installed: its tests are skipped"; }

$(FRONT_END)/%: | $(STAMP)
	@$(BIN)/python -m pip install --quiet --retries 1 --no-deps --upgrade --target $(FRONT_END) \
	  "comfyui-frontend-package>=1.58,<2" || \
	  { rm -rf $(FRONT_END); echo "ComfyUI's app cannot be installed: its tests are skipped"; }

$(STABLE_CANVAS)/%:
	@mkdir -p $(STABLE_CANVAS) && npm install --silent --fetch-retries 0 --no-save \
	  --no-package-lock --prefix $(STABLE_CANVAS) "@stable-canvas/comfyui-client@^1.5.9" "ws@^8" || \
	  { rm -rf $(STABLE_CANVAS); echo "@stable-canvas/comfyui-client cannot be installed (it" \
	    "needs Node): its tests are skipped"; }

# The pictures of docs/editor.md, anew; they are looked at before they are kept.
pictures: $(STAMP) browser
	@$(BIN)/python -m tests.web.pictures

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
	@$(BIN)/python -m pip install --quiet --no-deps "spandrel>=0.4.2,<0.5" || \
	  echo "spandrel cannot be installed: only upscalers of ESRGAN's kind load, and its tests are skipped"
	@touch $@
