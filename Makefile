# Two commands do it all on a fresh Debian machine with Python 3.11 and make: `make demo` and `make test`.
SHELL := /bin/bash
PY := .venv/bin/python
SEEDS ?= 1000
# Each process of a server, and each command, would compile all of its modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint fmt sim spark bench pictures lock venv venv-test clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: venv ## feed a simulated shop; DATA=<file or folder> feeds your data, SERVE=1 stays up
	@PYTHONPATH=. $(PY) -m sim.demo $(if $(DATA),--data "$(DATA)") $(if $(SERVE),--serve)

test: venv-test ## install what the tests need, and run all checks and tests
	@scripts/test-setup
	@scripts/check

lint: venv-test ## format, lint, types and import contracts only
	@scripts/check format lint types imports

fmt: venv-test ## put the code into its one format
	@.venv/bin/ruff check --quiet --fix-only . && .venv/bin/ruff format .

sim: venv-test ## the whole system under faults; SEEDS=1000
	@PYTHONPATH=. $(PY) -m tests.sim --seeds $(SEEDS)

spark: venv-test ## ask generated segments of Spark as well; needs Java 17; WORLDS=20
	@[ -d .venv-spark ] || $(PY) -m venv .venv-spark
	@.venv-spark/bin/pip --disable-pip-version-check --quiet install --require-hashes -r requirements-spark.lock
	@PYTHONPATH=src:.:$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
		.venv-spark/bin/python -m tests.spark --worlds $(or $(WORLDS),20)

bench: venv-test ## measure; writes bench/results.json
	@PYTHONPATH=. $(PY) -m bench

pictures: venv-test ## take the pictures in the documents anew
	@PYTHONPATH=. $(PY) -m tests.e2e.pictures

lock: ## find the newest dependencies that fit, and write the lock files
	@scripts/lock

venv: .venv/.installed ## the virtual environment that runs Courtesy
venv-test: .venv/.installed-test

.venv/.installed: requirements.lock pyproject.toml scripts/make-venv scripts/find-python
	@scripts/make-venv requirements.lock
	@touch $@

.venv/.installed-test: requirements-test.lock .venv/.installed
	@scripts/make-venv requirements-test.lock
	@touch $@

clean: ## remove what was made, but no data
	rm -rf .venv .venv-spark node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
