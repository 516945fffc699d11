# Names only: each target calls cargo or Python. `make` lists them.

# Built files stay outside the tree, so that every copy of it shares them.
CARGO_TARGET_DIR ?= $(HOME)/.cache/recurve/target
export CARGO_TARGET_DIR
# The lock file is what was tested. After a change of dependencies: make test LOCKED=
LOCKED ?= --locked
# The profile of .config/nextest.toml.
NEXTEST_PROFILE ?= default
NEXTEST_VERSION := 0.9.143
# Where `make run` keeps its company. Your own belongs in a folder of its own: make run DATA=... or recurve --data.
DATA ?= recurve-data
RECURVE := $(CARGO_TARGET_DIR)/release/recurve
# The day on which the demo ends, and the port of its dashboard. SERVE=0 leaves the dashboard out.
DEMO_DAY := 2026-11-01
PORT ?= 8080
SERVE ?= 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test lint unit doctest format web check-web check-browser smoke-browser web-too bench docs install release clean-data tools nextest node

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: tools ## Build Recurve, make a demo company in ./recurve-data and open its dashboard (SERVE=0: only its last month; WEB=0: without Node)
	@if [ "$(WEB)" != 0 ] && command -v npm >/dev/null; then $(MAKE) --no-print-directory web; fi
	@echo "Building. From nothing this takes some minutes on two cores, afterwards seconds."
	cargo build $(LOCKED) --release -p recurve
	$(RECURVE) --data "$(DATA)" demo
	@echo
	@echo "Go on with:  $(RECURVE) --data $(DATA) --help"
	@if [ "$(SERVE)" != 0 ] && [ -f web/dist/index.html ]; then \
		echo "The dashboard of the demo, for everybody on this machine; Ctrl-C ends it:"; \
		exec $(RECURVE) --data "$(DATA)" --now $(DEMO_DAY) serve --open editor --port $(PORT); \
	else \
		echo "The dashboard: make web, then make run again. The HTTP API: $(RECURVE) --data $(DATA) --now $(DEMO_DAY) serve --open"; \
	fi

test: lint unit doctest format web-too ## Run every check: clippy, all tests, the examples in the documentation, formatting, the dashboard

lint: tools ## Clippy over everything; a warning is an error
	cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings

unit: tools nextest ## Every test of every crate
	cargo nextest run $(LOCKED) --workspace --profile $(NEXTEST_PROFILE)

doctest: tools ## The examples in the documentation
	cargo test $(LOCKED) --doc --workspace

format: tools ## Is everything formatted? (cargo fmt --all mends it)
	cargo fmt --all --check

WEB_SOURCES := $(shell find web/src web/public web/scripts -type f 2>/dev/null) web/index.html web/vite.config.ts web/svelte.config.js

web: web/dist/index.html ## Build the dashboard (Node 20.19 or later); the next build of Recurve has it inside

check-web: web ## Every check of the dashboard that needs no browser
	cd web && npm run --silent check:format && npm run --silent check:lint && npm run --silent check:types \
		&& npm run --silent check:schema && npm run --silent check:unit && npm run --silent check:size

check-browser: web tools ## Every page of the dashboard in Chromium, against the program with the dashboard inside (some minutes)
	@command -v chromium >/dev/null || [ -n "$(CHROMIUM)" ] || { \
		echo "Chromium is not there: apt-get install chromium fonts-noto-cjk, or set CHROMIUM to its path" >&2; exit 1; }
	REQUIRE_UI=1 cargo build $(LOCKED) --release -p recurve
	cd web && RECURVE='$(RECURVE)' npm run --silent check:browser

# The part of `make test` that needs Node: left out, and said so, where there is none.
web-too:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory check-web smoke-browser; \
	else echo "npm is not there: the dashboard was not checked"; fi

# Some pages in Chromium, where there is one, against the program that the tests have built: about a minute.
smoke-browser: web
	@if [ -z "$(CHROMIUM)" ] && ! command -v chromium >/dev/null; then \
		echo "Chromium is not there: no page was opened (make check-browser says what to install)"; \
	elif [ ! -x "$(CARGO_TARGET_DIR)/debug/recurve" ]; then \
		echo "$(CARGO_TARGET_DIR)/debug/recurve is not there: no page was opened (make unit builds it)"; \
	else cd web && RECURVE='$(CARGO_TARGET_DIR)/debug/recurve' RECURVE_FRONT=1 npm run --silent check:browser -- --smoke; fi

# npm's registry is asked only when the lock file is newer than what is installed.
web/node_modules/.installed: web/package.json web/package-lock.json | node
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES)
	cd web && npm run --silent build

bench: tools ## Measure the ledger against DuckDB and Polars over 0.1, 1 and 10 million periods (some minutes, 2 GB of disk)
	cargo build $(LOCKED) --release -p recurve
	python3 bench/run.py --ours '$(RECURVE) bench' --sizes 100000,1000000,10000000

docs: tools nextest ## Write the generated pages of docs/ anew, from the tables that they show
	RECURVE_BLESS=1 cargo nextest run $(LOCKED) -p recurve --test map --test serve generated
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory web/node_modules/.installed && cd web && npm run --silent schema; fi

install: tools ## Put `recurve` into cargo's folder of programs
	cargo install $(LOCKED) --path crates/recurve

release: tools ## Build the program that is passed on: slower to build, a few per cent faster; needs the dashboard (make web)
	REQUIRE_UI=1 cargo build $(LOCKED) --profile distribution -p recurve
	@ls -l "$(CARGO_TARGET_DIR)/distribution/recurve"

clean-data: ## Remove the data folder (DATA=..., ./recurve-data unless set) after asking; YES=1 does not ask
	@test -d "$(DATA)" || { echo "there is no folder $(DATA)"; exit 0; }; \
	test -f "$(DATA)/catalog.sqlite" || { echo "$(DATA) is no data folder: it has no catalog.sqlite" >&2; exit 1; }; \
	if [ -z "$(YES)" ]; then \
		printf 'Every fact in %s will be gone. Type yes to remove it: ' "$(DATA)"; read answer; \
		[ "$$answer" = yes ] || { echo "kept"; exit 1; }; \
	fi; \
	rm -rf -- "$(DATA)" && echo "removed $(DATA)"

# What has to be there, said before something fails for want of it.
tools:
	@command -v cargo >/dev/null || { echo "cargo is not there: install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "cc is not there: SQLite and zstd are compiled with a C compiler; install gcc or clang" >&2; exit 1; }

node:
	@command -v npm >/dev/null || { \
		echo "npm is not there: the dashboard is built with Node 20.19 or later, from https://nodejs.org" >&2; \
		echo "Everything else is built without it; the dashboard is then a page that says so." >&2; exit 1; }

nextest:
	@cargo nextest --version >/dev/null 2>&1 || { \
		echo "Installing cargo-nextest $(NEXTEST_VERSION), the test runner: once, some minutes."; \
		cargo install --locked cargo-nextest --version $(NEXTEST_VERSION); }
