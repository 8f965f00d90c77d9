# Targets: demo, test, test-all, check, bench, docs, serve. Each installs what it needs into .venv first.
PYTHON ?= python3
CXX ?= c++
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
# The kernels are compiled once: extras are installed with the wheel that was built.
WHEEL := .venv/wheel/foretaste-*.whl
# One process per core, at most four: each imports all tests, and kernels have threads of their own.
PYTEST ?= -n logical --maxprocesses 4 --dist worksteal
# What make test-all adds: the slowest tests by name, and reports that a CI server reads.
REPORTS = --durations=25 --junitxml=.venv/reports/$(1).xml
SOURCES := pyproject.toml CMakeLists.txt $(shell find src native -type f -not -name '*.so' -not -name '*.pyc')

.PHONY: help demo test test-all check bench docs serve
help:
	@echo "make demo      compare models on the bundled ratings"
	@echo "make test      run the tests, in a few minutes"
	@echo "make test-all  run these and the long ones, with every optional dependency"
	@echo "make check     check style, types, layers, names and C++"
	@echo "make bench     measure speed against other libraries, interleaved"
	@echo "make docs      build the documentation into docs/_build/html"
	@echo "make serve     build the documentation and serve it on http://127.0.0.1:8000"

demo: .venv/installed
	@$(BIN)/foretaste demo
	@echo
	@echo "foretaste is installed in .venv; to run the commands as printed:  . .venv/bin/activate"

test: .venv/test
	$(BIN)/python -m pytest -m "not nightly" $(PYTEST)

# What a test needs and does not find (a PostgreSQL server, Chromium, real ratings) is a reason to skip it.
test-all: .venv/test-all
	$(MAKE) test PYTEST="$(PYTEST) $(call REPORTS,test)"
	$(BIN)/python -m pytest -m nightly $(PYTEST) $(call REPORTS,nightly)

check: .venv/check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_names.py
	$(BIN)/python tools/check_native.py

bench: .venv/bench
	$(BIN)/python -m benchmarks.speed.run $(BENCH)

docs: .venv/docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

serve: docs
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory docs/_build/html 8000

.venv/bin/pip:
	@command -v $(PYTHON) >/dev/null || { echo "foretaste needs python3, 3.11 or newer; none was found" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "foretaste needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V)" >&2; exit 1; }
	@command -v $(firstword $(CXX)) >/dev/null || \
	  { echo "foretaste needs a C++ compiler to build its kernels; none was found (Debian: apt-get install g++)" >&2; exit 1; }
	@echo '#include <span>' | $(CXX) -std=c++20 -x c++ -fsyntax-only - 2>/dev/null || \
	  { echo "foretaste needs a C++20 compiler (g++ 11 or clang 14, or newer); $(CXX) is older" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/pip $(SOURCES)
	@rm -rf .venv/wheel
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir .venv/wheel .
	$(PIP) $(WHEEL)
	@$(PIP) --force-reinstall --no-deps $(WHEEL)  # the version is the same, the code is not
	@touch $@

.venv/test: .venv/installed
	$(PIP) "$$(echo $(WHEEL))[test]"
	@touch $@

.venv/test-all: .venv/installed
	$(PIP) "$$(echo $(WHEEL))[test,torch,browser,peers,sklearn]"
	@touch .venv/test $@

.venv/check: .venv/installed
	$(PIP) "$$(echo $(WHEEL))[check]"
	@touch $@

.venv/bench: .venv/installed
	$(PIP) "$$(echo $(WHEEL))[test,bench]"
	@touch $@

.venv/docs: .venv/installed
	$(PIP) "$$(echo $(WHEEL))[docs]"
	@touch $@
