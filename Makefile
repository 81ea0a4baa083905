# Every target does its own set-up. A second run is fast: stamps lie in the virtual environment.
VENV ?= .venv
PYTHON ?= python3
BIN := $(abspath $(VENV))/bin
RUST_SOURCES := $(shell find crates -name '*.rs' -o -name 'Cargo.toml') Cargo.toml Cargo.lock
LOCKS := requirements/bootstrap.txt requirements/dev.txt requirements/carriers.txt
# What the acceptance list asks for; the rest of the tests are `make test`.
ACCEPTANCE := tests/accept tests/soundness tests/differential tests/e2e \
	tests/unit/receipt tests/unit/policy tests/unit/test_commitment.py tests/page
ACCEPTANCE_ZK := tests/accept/test_proving.py tests/accept/test_memory.py tests/accept/test_proof_mutations.py \
	tests/accept/test_campaigns.py tests/soundness/test_proof_tier.py tests/soundness/test_registration.py \
	tests/differential/test_proofs.py tests/unit/zk
ACCEPTANCE_SERVE := tests/accept/test_load.py tests/accept/test_log.py tests/accept/test_schemathesis.py \
	tests/accept/test_newcomer.py tests/accept/test_proof_queue.py tests/accept/test_cluster.py tests/accept/test_faults.py \
	tests/accept/test_page.py tests/accept/test_page_agreement.py tests/page tests/interop tests/soundness/test_rerolls.py \
	tests/soundness/test_log_proofs.py tests/e2e/test_serve_triton.py tests/e2e/test_proxy_refuses.py tests/unit/serve
# All but `cluster`, which is large: scripts/cluster.sh installs it apart, for its acceptance test.
EXTRAS := compile client serve tee dev
COMPILE_LOCK = $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
	--universal --python-version 3.11

export PATH := $(BIN):$(PATH)
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

## —— the two commands ——

.PHONY: demo
demo: build ## compile, run, issue, verify, forge nine ways; then prove, and verify without the weights
	veridical demo

.PHONY: test
test: lint format types stub lint-rust test-page test-python test-rust ## lint, types, Python and Rust tests; nothing is skipped silently

## —— more ——

.PHONY: accept
accept: build ## the whole acceptance list, full counts, as a table; hours
	VERIDICAL_CAMPAIGN=full pytest --timeout 7200 $(ACCEPTANCE)

.PHONY: accept-zk
accept-zk: build ## the part of it about succinct proofs; wants a machine that does nothing else
	VERIDICAL_CAMPAIGN=full pytest --timeout 7200 $(ACCEPTANCE_ZK)

.PHONY: accept-serve
accept-serve: build page/node_modules/.package-lock.json ## the part about gateway, log, clients and page; wants such a machine too
	VERIDICAL_CAMPAIGN=full pytest --timeout 7200 $(ACCEPTANCE_SERVE)

.PHONY: bench
bench: build ## latency, size and memory against ONNX Runtime, measured in the same run
	python -m benches

.PHONY: bench-zk
bench-zk: build ## succinct proofs beside EZKL and DSperse; an interrupted run goes on
	python -m benches.zk --resume

.PHONY: bench-serve
bench-serve: build ## a gateway under load, as a table; wants a machine that does nothing else
	VERIDICAL_CAMPAIGN=full pytest --timeout 1800 tests/accept/test_load.py

.PHONY: measurements-zk
measurements-zk: build ## docs/measurements-zk.md from the figures of the last `make bench-zk`
	python -m benches.zk --report-only out/bench-zk.json --output docs/measurements-zk

.PHONY: test-fast
test-fast: build ## the inner loop: Python tests without the slow ones
	pytest -m "not slow and not accept" -x -q

.PHONY: test-python
test-python: build ## all Python tests with reduced counts of the long campaigns
	scripts/postgres.sh >/dev/null || [ $$? -eq 3 ]  # without a server, tests on it say that they are skipped
	scripts/chromium.sh >/dev/null || [ $$? -eq 3 ]  # likewise without a browser
	pytest -m "not accept"

.PHONY: test-rust
test-rust: $(VENV)/packages.stamp ## all Rust tests
	cargo test --quiet --locked --workspace

.PHONY: lint
lint: $(VENV)/packages.stamp ## ruff, changes nothing
	ruff check

.PHONY: format
format: $(VENV)/packages.stamp rust-components ## is everything formatted? changes nothing
	ruff format --check
	cargo fmt --all --check

.PHONY: types
types: build ## mypy --strict
	mypy --strict

.PHONY: stub
stub: build ## the extension against its stub
	stubtest veridical._core --mypy-config-file pyproject.toml

.PHONY: lint-rust
lint-rust: $(VENV)/packages.stamp rust-components ## clippy and rustdoc, warnings are errors
	cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --workspace --no-deps

.PHONY: rust-components
rust-components:
	@cargo clippy --version >/dev/null && cargo fmt --version >/dev/null || { \
		echo "clippy or rustfmt is missing; what to do: add both components to the Rust toolchain" >&2; exit 1; }

.PHONY: fmt
fmt: $(VENV)/packages.stamp ## format Python and Rust in place
	ruff check --fix-only
	ruff format
	cargo fmt --all

.PHONY: build
build: $(VENV)/build.stamp ## the virtual environment with the package and its extension

.PHONY: wasm
wasm: ## the verifier as a WebAssembly module, tested in Node, compared with the committed one
	scripts/wasm.sh

.PHONY: page
page: ## the page and the dashboard from page/src and the verifier, into python/veridical/page/
	node page/build.mjs

.PHONY: test-page
test-page: page/node_modules/.package-lock.json ## types and unit tests of the page
	cd page && npm run --silent types && node --test tests/

.PHONY: wheel
wheel: $(VENV)/packages.stamp ## a wheel for any x86-64 machine, with faster builds of its extension inside, into dist/
	scripts/wheel.sh dist

.PHONY: lock
lock: $(VENV)/packages.stamp ## compile the hashed requirements again from pyproject.toml
	$(COMPILE_LOCK) $(EXTRAS:%=--extra %) pyproject.toml -o requirements/dev.txt
	$(COMPILE_LOCK) pyproject.toml -c requirements/dev.txt -o requirements/base.txt
	$(COMPILE_LOCK) --extra cluster pyproject.toml -c requirements/dev.txt -o requirements/cluster.txt
	$(COMPILE_LOCK) requirements/bootstrap.in -o requirements/bootstrap.txt
	$(COMPILE_LOCK) --no-deps requirements/carriers.in -o requirements/carriers.txt
	$(COMPILE_LOCK) requirements/fuzz.in -o requirements/fuzz.txt
	$(COMPILE_LOCK) requirements/peers-ezkl.in -o requirements/peers-ezkl.txt
	$(COMPILE_LOCK) requirements/peers-dsperse.in -o requirements/peers-dsperse.txt

.PHONY: clean
clean: ## remove what was built, keep the virtual environment
	rm -rf target out build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -f python/veridical/*.so $(VENV)/build.stamp
	find python tests benches examples attacks scripts -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^## /{print "\n" substr($$0, 4)} /^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/packages.stamp: $(LOCKS) scripts/bootstrap.sh
	PYTHON=$(PYTHON) scripts/bootstrap.sh $(VENV)
	touch $@

page/node_modules/.package-lock.json: page/package-lock.json
	@command -v npm >/dev/null || { \
		echo "npm is missing; what to do: install Node.js 20 or later (Debian: apt-get install nodejs npm)" >&2; exit 1; }
	cd page && npm ci --silent --no-audit --no-fund --ignore-scripts
	touch $@

# Editable, so that Python sources are read in place. The extension is built with the release profile and for this
# machine: the field arithmetic of proofs takes the vector instructions it was compiled for.
$(VENV)/build.stamp: $(VENV)/packages.stamp $(RUST_SOURCES) pyproject.toml
	RUSTFLAGS="-C target-cpu=native" python -m pip --quiet --disable-pip-version-check install --no-index --no-deps --no-build-isolation --editable .
	touch $@
