# The commands people type. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export CARGO_PROFILE_DEV_DEBUG ?= line-tables-only
export RAGLINE_PORT ?= 8080

.PHONY: help
help: ## Show the commands.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Bring up a real Kubernetes with a pipeline on it, ingest real documents, ask questions, verify.
	tests/demo/demo.sh up

.PHONY: demo-down
demo-down: ## Remove everything that `make demo` made.
	tests/demo/demo.sh down

.PHONY: dev
dev: ## Run the gateway alone on real PostgreSQL and Valkey (port: RAGLINE_PORT, default 8080). Ctrl-C stops all.
	tests/servers/dev.sh

.PHONY: test
test: ## Run every test, from values to a real cluster.
	tests/run.sh

.PHONY: test-gitops
test-gitops: ## Run Argo CD on a local git repository against a real cluster: sync, health, self-heal, prune, ApplicationSets.
	tests/gitops/run.sh

.PHONY: test-nodes
test-nodes: ## Lose nodes, cut PostgreSQL's off, upgrade the operator, do without it: under traffic on a real cluster.
	tests/nodes/run.sh

.PHONY: lint
lint: ## Check formatting, lints, licences and sources of dependencies, and shell scripts.
	tests/lint.sh

.PHONY: bench
bench: ## Measure against the raw parts in one run; writes target/bench/results.json.
	tests/bench/bench.sh

.PHONY: bench-1m
bench-1m: ## Measure a million rows: index build, memory, time per query; writes target/bench-1m/results.json.
	tests/bench/bench.sh 1m

.PHONY: soak
soak: ## Ten minutes of everything at once against one gateway; fails when its memory grows or an answer is lost.
	tests/bench/bench.sh soak

.PHONY: test-faults
test-faults: ## Kill the operator at its writes, and refuse each of its requests, on a real API server; takes many minutes.
	cargo test --release --locked -p ragline-tests --features faults --test it -- apiserver:: --test-threads 2

.PHONY: test-cnpg
test-cnpg: ## Run a pipeline on the CloudNativePG of the cluster of RAGLINE_E2E_KUBECONFIG, and take its primary away.
	tests/cnpg.sh

.PHONY: scale
scale: ## Measure the operator with 100 and 1,000 pipelines on a simulated cluster; writes target/scale/results.json.
	tests/scale/scale.sh

.PHONY: images
images: ## Build the four images of the Dockerfile into target/images.
	tests/cluster/images.sh

.PHONY: crds
crds: ## Write the generated files anew: CRD, chart copy, tables in the docs, golden objects.
	UPDATE=1 cargo test -p ragline-crds -p ragline-operator -p ragline-tests

.PHONY: cluster-up
cluster-up: ## Start a local two-node Kubernetes; writes target/cluster/kubeconfig.
	tests/cluster/up.sh

.PHONY: cluster-down
cluster-down: ## Stop the local Kubernetes and remove its state.
	tests/cluster/down.sh
