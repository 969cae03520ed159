# make setup | up | test | soak | check | fmt | proto | lock | bench | bench-router | clean; ARGS="…" passes options through.
SHELL := /bin/sh
PY := .venv/bin/python

.PHONY: setup up test soak check fmt proto lock bench bench-router clean

setup:  ## .venv with everything, from requirements.txt; nothing to do when nothing changed
	@./stack/setup.sh

up: setup  ## the whole platform on this machine: make up ARGS="--detach --dir DIR"
	@exec .venv/bin/shipoff up $(ARGS)

test: setup  ## unit, integration (real servers) and e2e tests: make test ARGS="tests/unit -x"
	@$(PY) -m stack.runtimes || echo "tests: no PHP, so its example is skipped" >&2
	@$(PY) -m tests.npm.modules
	@$(PY) -m pytest $(ARGS)
	@[ -n "$(ARGS)" ] || SHIPOFF_ROUTER_PURE=1 $(PY) -m pytest -q tests/unit/router tests/integration/router

soak: setup  ## an hour of changes and faults under load: make soak ARGS="--minutes 60 --seed 1"
	@$(PY) -m pytest -q tests/soak $(ARGS)

check: setup  ## formatting, lint, types, import contracts, house rules, generated code
	@.venv/bin/ruff format --check --quiet . || { echo "unformatted files: run make fmt" >&2; exit 1; }
	@.venv/bin/ruff check --quiet .
	@$(PY) .ci/lint.py
	@SHIPOFF_ROUTER_PURE=1 PYTHONPATH=. $(PY) .ci/error_codes.py --check
	@PYTHONPATH=. $(PY) .ci/cli_reference.py --check
	@PYTHONPATH=. $(PY) .ci/roles.py --check
	@said=$$(.venv/bin/lint-imports --no-cache) || { echo "$$said"; exit 1; }
	@./proto/generate.sh --check
	@.venv/bin/mypy

fmt: setup
	@.venv/bin/ruff check --quiet --fix . ; .venv/bin/ruff format .

proto: setup
	@./proto/generate.sh && SHIPOFF_ROUTER_PURE=1 PYTHONPATH=. $(PY) .ci/error_codes.py && PYTHONPATH=. $(PY) .ci/cli_reference.py && PYTHONPATH=. $(PY) .ci/roles.py

lock: setup  ## pins for all platforms, with hashes and without the address of any registry
	@.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url pyproject.toml --extra stack --extra compiled --group dev -o requirements.txt

bench: setup  ## make bench ARGS="push_to_live --quick"
	@$(PY) -m bench.$(ARGS)

bench-router: setup  ## our router beside nginx, HAProxy, Envoy, Traefik, Caddy: make bench-router ARGS="--quick --json FILE"
	@$(PY) -m bench.router_overhead $(ARGS)

clean:  ## everything that setup and the tools made; state directories are the operator's
	@rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find router -name "*.so" -delete
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
