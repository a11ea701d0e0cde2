# Each target sets itself up in .venv: a Python >= 3.11 and a C compiler are all that must be there.
#
#   make demo     the worksheet on scikit-learn's digits, into demo-out/
#   make demo-cifar  the course's published grid, 100 models on CIFAR-10, into demo-cifar-out/
#                 (CIFAR10=FOLDER, that of its batches, or CSOFTMAX_DATA that which holds it)
#   make test     all tests and all examples of the docs, against the installed wheel
#   make test-peers  the tests that SciPy, scikit-learn and PyTorch ship, on csoftmax
#   make lint     ruff, cython-lint, clang-format, mypy, check-jsonschema, actionlint
#   make docs     the site, into build/docs; a warning is an error (docs-links: links out of it, too)
#   make wheels   this machine's wheel, as a release has it, and its checks: build/wheels
#   make test-aarch64  the same package on aarch64, under qemu-user in a Debian tree (as root)
#   make test-windows  the same package on Windows, built by clang-cl, under Wine
#   make bench    the benchmarks, an hour: benchmarks/*.md and docs/img
#
# and for .ci/run: test-clang (and OpenMP), test-debug and test-sanitize, the tests on other builds.

PYTHON ?= python3
PYTEST_ARGS ?=
DOCS_ARGS ?=

BIN := $(CURDIR)/.venv/bin
# What tests against other packages want, where CI is set: extras called test-NAME.
OTHERS := torch sources dask models boosting types packaging
SOURCES := pyproject.toml setup.py MANIFEST.in LICENSE README.md $(wildcard src/*) \
           $(shell find csoftmax -name '*.py' -o -name '*.pyi' -o -name py.typed -o -name 'page.*')

# The first glob to match is the one file there is.
WHEEL = $(firstword $(wildcard build/dist/*.whl))
SDIST = $(firstword $(wildcard build/dist/*.tar.gz))

# The date of all files in a wheel, without which no two are the same.
export SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),1767225600)

.PHONY: demo demo-cifar test test-peers lint docs docs-links wheels cibuildwheel
.PHONY: test-aarch64 test-windows bench clean
.SECONDARY:

demo: .venv/.cli
	@echo "the worksheet, half a minute on two cores ..."
	@$(BIN)/csoftmax worksheet --data digits --out demo-out --open

CIFAR10 ?= $(CSOFTMAX_DATA)/cifar-10-batches-py
demo-cifar: .venv/.cli
	$(BIN)/csoftmax worksheet --data $(CIFAR10) --grid published --out demo-cifar-out

# What a step says matters when it fails: else it is in a file. $(1) is the step, $(2) the file's name.
define quietly
	@mkdir -p build
	@$(1) >build/$(2).log 2>&1 || { tail -n 60 build/$(2).log; \
	    echo "FAILED: $(1)"; echo "All that it said is in $(CURDIR)/build/$(2).log"; exit 1; }
endef

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
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(if $(wildcard .github),$(BIN)/actionlint)

# What a release holds for this machine, checked and tested as packaging/wheels.py says; and beside
# the OpenMP runtimes of others, where these are installed.
wheels: .venv/.wheels .venv/.test $(if $(CI),.venv/.test-torch .venv/.test-boosting)
	$(BIN)/twine check --strict build/dist/*
	$(BIN)/python -P packaging/wheels.py build/dist build/wheels
	$(BIN)/check-wheel-contents build/wheels/*.whl
	$(BIN)/abi3audit --strict build/wheels/*.whl
	$(BIN)/pip install --quiet --no-deps --target build/wheels/work/site build/wheels/*.whl
	cd build/wheels/work && env PYTHONPATH=$(CURDIR)/build/wheels/work/site \
	    $(BIN)/pytest -c $(CURDIR)/pyproject.toml --rootdir=$(CURDIR) \
	    $(CURDIR)/tests/native/test_runtimes_together.py

# All wheels of this system that a release has, on Linux in containers: .github/workflows.
cibuildwheel: .venv/.wheels
	$(BIN)/cibuildwheel --output-dir build/wheelhouse

test-aarch64: .venv/.package
	packaging/aarch64.sh build/aarch64

test-windows: .venv/.package
	packaging/windows.sh build/windows

# Pages of other packages are shown without what they compute where those are not installed.
docs: .venv/.docs $(if $(CI),$(OTHERS:%=.venv/.test-%))
	$(BIN)/python -P -m sphinx --fail-on-warning --keep-going --jobs auto \
	    -d build/docs-state $(DOCS_ARGS) docs build/docs

docs-links: .venv/.docs
	CSOFTMAX_DOCS_ONLINE=1 $(BIN)/python -P -m sphinx -b linkcheck --jobs auto \
	    -d build/docs-state -D plot_gallery=0 docs build/docs-links

bench: .venv/.bench
	-$(MAKE) .venv/.peers  # columns more, where they install
	$(BIN)/python -P benchmarks/run.py
	$(BIN)/python -P benchmarks/growth.py
	$(BIN)/python -P benchmarks/fit.py
	$(BIN)/python -P benchmarks/lines.py

clean:
	rm -rf .venv build demo-out demo-cifar-out *.egg-info docs/api/*.rst docs/howto docs/tutorial

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit("csoftmax needs Python >= 3.11, and $(PYTHON) is " \
	    + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "making an environment in .venv ..."
	$(call quietly,$(PYTHON) -m venv .venv,venv)
	$(call quietly,$(BIN)/pip install build,pip)
	@touch $@

# The sdist, and from it the wheel: what the sdist lacks fails here.
.venv/.package: $(SOURCES) .venv/.created
	@rm -rf build/dist
	@echo "building the package, a minute or two on two cores ..."
	$(call quietly,$(BIN)/python -m build --outdir build/dist .,build)
	$(call quietly,$(BIN)/pip install --force-reinstall --no-deps build/dist/*.whl,pip)
	@touch $@

# .venv/.NAME: what the extra NAME needs.
.venv/.%: .venv/.package
	@echo "installing what $* needs, under a minute ..."
	$(call quietly,$(BIN)/pip install "$(CURDIR)/$$(echo build/dist/*.whl)[$*]",pip)
	@touch $@

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
