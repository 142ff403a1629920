# Everything that a developer does, by name. Each target sets up what it needs first (tools/setup.sh);
# the second time that takes a second.

CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/audit-layer
export AUDIT_LAYER_CACHE := $(CACHE)
export CARGO_TARGET_DIR ?= $(CACHE)/target
export PATH := $(CACHE)/tools/bin:$(PATH)

FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help setup run test bench profile lint fmt docs fuzz

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

setup: ## installs what the tests need: system packages, Node modules, Python packages, cargo tools
	@tools/setup.sh test

run: ## builds and starts the demo: gateway, sample traffic, dashboard
	@tools/setup.sh build
	@tools/run.sh

test: ## runs every check and every test; the last line says how many passed
	@tools/setup.sh test
	@tools/test.sh

bench: ## compares with nginx, LiteLLM and Portkey; writes bench/results/
	@tools/setup.sh bench
	@bench/run.sh

profile: ## measures anew what a release is optimised for (tools/release.profdata); twenty minutes
	@tools/setup.sh bench
	@tools/profile.sh

lint: ## format check, clippy, dependency rules, unused dependencies
	@tools/setup.sh lint
	@tools/lint.sh

fmt: ## formats the code
	@cargo fmt --all

docs: ## writes the generated part of LOGGING.md
	@tools/setup.sh build
	@cargo run --quiet --locked -p testkit --example logging_md -- LOGGING.md

fuzz: ## runs each fuzz target for FUZZ_SECONDS (60)
	@tools/setup.sh fuzz
	@tools/fuzz.sh $(FUZZ_SECONDS)
