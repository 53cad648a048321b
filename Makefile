# Each line is a command a person could type.
# `make help` lists the targets.

CARGO ?= cargo
PROFILE := release
TARGET := $(or $(CARGO_TARGET_DIR),target)
GOYONG := $(TARGET)/$(PROFILE)/goyong
DEMO_DIR ?= demo
PERSONS ?= 100000
MONTHS ?= 24
OPEN_DATA ?= $(wildcard ../shared/data)

.PHONY: help demo test bench build setup format lint docs unit browser clean-demo

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## compile the binary (half an hour or more from nothing on 2 cores, then seconds)
	$(CARGO) build --$(PROFILE) --package goyong

demo: build ## simulate a country, ingest it, run a night, publish, render the reports
	$(GOYONG) demo --dir $(DEMO_DIR) --persons $(PERSONS) --months $(MONTHS) $(if $(OPEN_DATA),--open-data $(OPEN_DATA))

test: setup format lint docs unit browser ## install what the tests need and pass every test

setup: ## install what the tests need: a browser, PostgreSQL (Debian packages), npm packages from the lock file
	tests/setup.sh

format:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --$(PROFILE) --workspace --all-targets -- --deny warnings

docs:
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --$(PROFILE) --workspace --no-deps

unit: ## unit, integration and SQL tests
	$(CARGO) test --$(PROFILE) --workspace --no-fail-fast

browser: build ## open every page of a small demo in a browser and check it
	tests/browser/run.sh $(GOYONG) $(OPEN_DATA)

bench: build ## compare with DuckDB, Polars, Splink, LightGBM, scikit-learn, Airflow and Dagster doing the same work
	$(CARGO) build --$(PROFILE) --package goyong --package goyong-engine --package goyong-scheduler --package goyong-advert --examples
	tests/bench/run.sh $(GOYONG)

clean-demo: ## remove the demo's folder
	rm -rf $(DEMO_DIR)
