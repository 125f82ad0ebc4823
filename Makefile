# Everything a developer runs. The targets do their own set-up; all they need is Go, make and bash.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO ?= go
BIN := $(CURDIR)/bin
TAGS ?= invariants
FUZZTIME ?= 20s
TIMEOUT ?= 20m
BENCH ?=
LINT_FLAGS ?=
# Samples of the matrices are drawn with this seed; a failure is repeated by naming it: make test MILLRACE_SEED=7
MILLRACE_SEED ?= $(shell date +%s)
MILLRACE_TEST ?= short
export MILLRACE_SEED MILLRACE_TEST

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)

# What follows ./tests starts processes, brokers among them: one package at a time. The rest may share the machine.
QUICK = $$($(GO) list ./... | grep -v '^millrace/tests\(/\|$$\)')

.PHONY: help
help: ## print this
	@echo "targets:"
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "variables: MILLRACE_SEED (repeats a run), TIMEOUT=$(TIMEOUT) a package, FUZZTIME=$(FUZZTIME) a target, BENCH= arguments for bench"

.PHONY: build
build: ## build bin/millrace
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/millrace ./cmd/millrace

.PHONY: run
run: build ## run the main job on this machine, drop a task manager in the middle, verify the result
	$(BIN)/millrace demo

.PHONY: test
test: ## one case of each kind and a seeded sample of every matrix
	@echo "make test: MILLRACE_TEST=$(MILLRACE_TEST) MILLRACE_SEED=$(MILLRACE_SEED)"
	@( status=0; \
	   $(GO) test -json -timeout $(TIMEOUT) -tags '$(TAGS)' $(GOTESTFLAGS) $(QUICK) || status=$$?; \
	   if [ -d tests ]; then $(GO) test -json -p 1 -timeout $(TIMEOUT) -tags '$(TAGS)' $(GOTESTFLAGS) ./tests/... || status=$$?; fi; \
	   exit $$status ) | $(GO) run ./internal/testutil/summary

.PHONY: test-all
test-all: ## every case of every matrix
	@$(MAKE) test MILLRACE_TEST=all TIMEOUT=2h

.PHONY: race
race: ## the whole suite under the race detector (needs a C compiler)
	@CGO_ENABLED=1 $(MAKE) test GOTESTFLAGS=-race TIMEOUT=40m

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	@for dir in $$(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -r -n1 dirname | sort -u); do \
	   for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go | cut -c6- | sort -u); do \
	     echo "$$dir $$target"; \
	     $(GO) test -tags '$(TAGS)' -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir; \
	   done; \
	 done

.PHONY: bench
bench: ## the benchmarks, one JSON line a run
	@if ls bench/*.go >/dev/null 2>&1; then set -- ./bench; \
	 else set -- $$($(GO) list -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' ./bench/...); fi; \
	 [ $$# -gt 0 ] || { echo "no program in ./bench" >&2; exit 1; }; \
	 for program in "$$@"; do $(GO) run $$program $(BENCH); done

# How many schedules `make sim` plays, from which seed on; a failing one prints the command that repeats it.
SIM_SEEDS ?= 1000
SIM_FROM ?= 1

.PHONY: sim
sim: ## 1,000 schedules of the simulator, with faults, from seed SIM_FROM on
	$(GO) run -tags '$(TAGS)' ./sim/run -seeds $(SIM_SEEDS) -from $(SIM_FROM)

.PHONY: sim-mutants
sim-mutants: ## plant every known bug in the engine; the simulator must find each
	$(GO) run -tags simmutants ./sim/run -mutants -seeds $(SIM_SEEDS) -from $(SIM_FROM)

# How long `make chaos` lasts, with a fault every 27 s, and how many leaders `make zombies` pauses.
CHAOS_TIME ?= 30m
ZOMBIES ?= 100
PROOF = $(GO) test -v -count 1 -timeout 0 -tags '$(TAGS)'

.PHONY: chaos
chaos: ## everything goes wrong for CHAOS_TIME, on real processes; for root also networks and a disk
	CHAOS_TIME=$(CHAOS_TIME) $(PROOF) -run '^TestChaos$$' ./tests/chaos

# How long `make random` tries random queries.
RANDOM_TIME ?= 10m

.PHONY: random
random: ## random SQL over random rows for RANDOM_TIME: one answer from every configuration
	MILLRACE_RANDOM_TIME=$(RANDOM_TIME) $(PROOF) -run '^TestRandomQueries$$' ./tests/sql

.PHONY: zombies
zombies: ## ZOMBIES leaders, one after the other, are paused with a write that they have decided
	MILLRACE_ZOMBIES=$(ZOMBIES) $(PROOF) -run '^TestZombieLeaders$$' ./tests/exactlyonce

.PHONY: nexmark
nexmark: ## every query of Nexmark in every configuration, against the answers of Apache Flink and of models
	MILLRACE_TEST=all $(PROOF) ./tests/nexmark

.PHONY: lint
lint: $(BIN)/golangci-lint ## golangci-lint over everything, and buf lint
	$(BIN)/golangci-lint run $(LINT_FLAGS) ./...
	@$(MAKE) proto-lint

.PHONY: fmt
fmt: $(BIN)/golangci-lint ## format Go and proto files
	$(BIN)/golangci-lint fmt
	@$(MAKE) proto-fmt

# Protocol buffers. protoc-gen-go comes from the main module, so that generated code and the runtime it is linked with
# have one version; the other tools from tools/go.mod.
PROTO_TOOLS := $(BIN)/buf $(BIN)/protoc-gen-go $(BIN)/protoc-gen-go-grpc

.PHONY: proto
proto: $(PROTO_TOOLS) ## generate Go code beside the .proto files
	cd proto && PATH=$(BIN):$$PATH buf generate

.PHONY: proto-lint proto-fmt proto-tools
proto-lint: $(BIN)/buf
	@if [ -n "$$(find proto -name '*.proto' -print -quit)" ]; then cd proto && $(BIN)/buf lint; fi
proto-fmt: $(BIN)/buf
	@if [ -n "$$(find proto -name '*.proto' -print -quit)" ]; then cd proto && $(BIN)/buf format -w; fi
proto-tools: $(PROTO_TOOLS)

.PHONY: proto-breaking
proto-breaking: $(BIN)/buf ## compare the contracts with those of AGAINST (a git tag or branch)
	cd proto && $(BIN)/buf breaking --against '../.git#ref=$(AGAINST),subdir=proto'

$(BIN)/buf: tools/go.mod
	cd tools && $(GO) build -o $@ github.com/bufbuild/buf/cmd/buf
$(BIN)/protoc-gen-go-grpc: tools/go.mod
	cd tools && $(GO) build -o $@ google.golang.org/grpc/cmd/protoc-gen-go-grpc
$(BIN)/protoc-gen-go: go.mod
	$(GO) build -o $@ google.golang.org/protobuf/cmd/protoc-gen-go
$(BIN)/golangci-lint: tools/lint/go.mod
	cd tools/lint && $(GO) build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(BIN)/benchstat: tools/go.mod
	cd tools && $(GO) build -o $@ golang.org/x/perf/cmd/benchstat

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN) coverage.out
