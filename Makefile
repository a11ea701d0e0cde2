# Each target sets itself up in .venv: a Python >= 3.11 and a C compiler are all that must be there.
#
#   make demo     the worksheet on scikit-learn's digits, into demo-out/
#   make demo-cifar  the course's published grid, 100 models on CIFAR-10, into demo-cifar-out/
#                 (CIFAR10=FOLDER, that of its batches, or CSOFTMAX_DATA that which holds it)
#   make test     all tests and all examples of the docs, against the installed wheel
#   make test-peers  the tests that SciPy, scikit-learn and PyTorch ship, on csoftmax
#   make lint     ruff, cython-lint, clang-format, mypy
#   make bench    the benchmarks, an hour: benchmarks/*.md and docs/img
#
# and for .ci/run: test-clang (and OpenMP), test-debug and test-sanitize, the tests on other builds.

PYTHON ?= python3
PYTEST_ARGS ?=

BIN := $(CURDIR)/.venv/bin
# What tests against other packages want, where CI is set: extras called test-NAME.
OTHERS := torch sources dask models boosting
SOURCES := pyproject.toml setup.py MANIFEST.in LICENSE README.md $(wildcard src/*) \
           $(shell find csoftmax -name '*.py' -o -name '*.pyi' -o -name py.typed)

# The first glob to match is the one file there is.
WHEEL = $(firstword $(wildcard build/dist/*.whl))
SDIST = $(firstword $(wildcard build/dist/*.tar.gz))

.PHONY: demo demo-cifar test test-peers lint bench clean
.SECONDARY:

demo: .venv/.cli
	$(BIN)/csoftmax worksheet --data digits --out demo-out

CIFAR10 ?= $(CSOFTMAX_DATA)/cifar-10-batches-py
demo-cifar: .venv/.cli
	$(BIN)/csoftmax worksheet --data $(CIFAR10) --grid published --out demo-cifar-out

# Run from a folder with nothing in it, so that nothing but the installed package can be imported;
# a process for each core. $(1) is that folder, $(2) the environment, $(3) more arguments.
define run-tests
	mkdir -p $(1)
	cd $(1) && env $(2) $(BIN)/pytest -c $(CURDIR)/pyproject.toml --rootdir=$(CURDIR) \
	    -n auto --dist worksteal --doctest-modules --doctest-glob='*.md' --ignore=$(CURDIR)/tests/peers $(3) $(PYTEST_ARGS) \
	    --doctest-ignore-import-errors \
	    $(CURDIR)/tests $(CURDIR)/README.md $(CURDIR)/docs --pyargs csoftmax
endef

test: .venv/.test $(if $(CI),$(OTHERS:%=.venv/.test-%))
	$(call run-tests,build/test/run,)

test-peers: .venv/.test-peers $(if $(CI),.venv/.test-torch)
	mkdir -p build/$@/run
	cd build/$@/run && $(BIN)/pytest -c $(CURDIR)/pyproject.toml --rootdir=$(CURDIR) \
	    $(PYTEST_ARGS) $(CURDIR)/tests/peers

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(BIN):$$PATH" cython-lint src  # it looks for pycodestyle there
	$(BIN)/clang-format --dry-run --Werror src/*.h
	$(BIN)/mypy

bench: .venv/.bench
	-$(MAKE) .venv/.peers  # columns more, where they install
	$(BIN)/python -P benchmarks/run.py
	$(BIN)/python -P benchmarks/growth.py
	$(BIN)/python -P benchmarks/fit.py

clean:
	rm -rf .venv build demo-out demo-cifar-out *.egg-info

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit("csoftmax needs Python >= 3.11, and $(PYTHON) is " \
	    + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet build
	touch $@

# The sdist, and from it the wheel: what the sdist lacks fails here.
.venv/.package: $(SOURCES) .venv/.created
	rm -rf build/dist
	$(BIN)/python -m build --outdir build/dist .
	$(BIN)/pip install --quiet --force-reinstall --no-deps build/dist/*.whl
	touch $@

# .venv/.NAME: what the extra NAME needs.
.venv/.%: .venv/.package
	$(BIN)/pip install --quiet "$(CURDIR)/$$(echo build/dist/*.whl)[$*]"
	touch $@

# Other builds of the sdist. They come before .venv's own on the path.
test-clang:    BUILD := CC=clang CSOFTMAX_OPENMP=1
test-clang:    EXPECT := c["compiler"].startswith("clang") and c["openmp"]
test-clang:    SELECT := -m "kernels or threads"
test-clang:    RUN := HYPOTHESIS_PROFILE=few
test-debug:    BUILD := CSOFTMAX_DEBUG=1
test-debug:    SELECT := -m kernels
test-debug:    RUN := HYPOTHESIS_PROFILE=few
test-sanitize: BUILD := CSOFTMAX_SANITIZE=address,undefined
# What a sanitizer says before it ends the process goes past sys.stderr: only that is captured.
# Its own memory counts as ours.
test-sanitize: SELECT := -m kernels --capture=sys -k 'not peak_memory'
# Python itself is not instrumented: the sanitizer's library must be there before it, and that of
# C++ for its exceptions. Python and NumPy keep memory until they end: no search for leaks.
test-sanitize: RUN = LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libstdc++.so)" \
                     ASAN_OPTIONS=detect_leaks=0 HYPOTHESIS_PROFILE=few

EXPECT = True
VARIANTS := test-clang test-debug test-sanitize
.PHONY: $(VARIANTS)
$(VARIANTS): .venv/.test
	rm -rf build/$@
	$(BUILD) $(BIN)/pip wheel --quiet --no-deps -w build/$@ build/dist/*.tar.gz
	$(BIN)/pip install --quiet --no-deps --target build/$@/site build/$@/*.whl
	env PYTHONPATH=$(CURDIR)/build/$@/site $(RUN) $(BIN)/python -P -c 'import csoftmax; \
	    csoftmax.show_config(); c = csoftmax.show_config("dicts"); assert $(EXPECT), c'
	$(call run-tests,build/$@/run,PYTHONPATH=$(CURDIR)/build/$@/site $(RUN),$(SELECT))
