# Targets are listed by `make` alone; each installs what it needs by .ci/setup.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export PATH := $(CURDIR)/.tools/go/bin:$(PATH)
export GOFLAGS := -mod=readonly
LINT := go tool -modfile=test/tools/go.mod golangci-lint
TESTFLAGS ?=

.PHONY: help setup setup-test build run demo test lint fmt generate bench fuzz mutants nightly clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

setup: ## install what building and running needs
	@sh .ci/setup

setup-test:
	@sh .ci/setup test

build: setup ## build bin/flametree
	@mkdir -p bin
	go build -trimpath -o bin/flametree .

run: build ## start the demo: prints where to call, chat and look
	bin/flametree serve --demo

demo: build ## a caller in a second process calls the demo agent over SIP and RTP
	bin/flametree demo

test: setup-test ## unit, race and scenario tests; ends with counts
	@go run ./test/suite $(TESTFLAGS)

lint: setup ## the linter, with the floors (first build takes minutes)
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'not gofmt-ed'; exit 1; }
	go vet ./...
	$(LINT) run ./...

fmt: setup ## format all code
	$(LINT) fmt ./...

generate: setup-test ## generated code anew; git must stay clean
	go generate ./...

bench: build ## the benches, with a table each and pages in bench-out/
	go run ./bench all --out bench-out

fuzz: setup-test ## every fuzz target for FUZZTIME (default 20s)
	@go run ./test/suite --fuzz $(or $(FUZZTIME),20s)

mutants: setup-test ## every small break of test/mutants must be caught by its test
	@go run ./test/suite --mutants

nightly: setup-test ## the long suites
	@go run ./test/suite --long
	@go run ./test/suite --fuzz 10m
	@go run ./test/suite --mutants

clean: ## remove what was built
	rm -rf bin bench-out .tools
