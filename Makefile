# `make` lists what there is.
PYTHON ?= python3
export PYTHON

.PHONY: help demo docs install uninstall test torture bench lock clean

help:
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile

demo: ## play a short outage on this terminal
	@.ci/setup
	@.venv/bin/tocsin demo

docs: ## make a site of the pages in docs/: build/docs/index.html
	@.ci/setup
	@.ci/docs
	@echo build/docs/index.html

install: ## as root: install or upgrade the systemd service, under /opt/tocsin (docs/install.md)
	@systemd/install

uninstall: ## as root: take the service away; its configuration and state stay
	@systemd/uninstall

test: ## set up .venv if need be, then run every check
	@.ci/setup
	@.ci/servers
	@.ci/synapse
	@.ci/check

torture: ## the tests that try everything there is: every hour of two years in each time zone (some minutes)
	@.ci/setup
	@TOCSIN_TORTURE=1 .venv/bin/pytest -q tests/domain/test_rota.py

bench: ## measure beside the floors; writes benchmarks/RESULTS.md (some minutes)
	@.ci/setup
	@.ci/servers
	@.ci/synapse
	@.venv/bin/python -m benchmarks

lock: ## pin the newest versions that pyproject.toml allows
	@.ci/setup
	@.ci/lock

clean: ## remove what the other targets made
	rm -rf .venv .venv-synapse tests/servers/js/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
