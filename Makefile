# Every target is one line; what needs more is in crates/xtask.
.DEFAULT_GOAL := help
CLUSTER ?= dev
NODES ?= 1
.PHONY: help build fmt lint check test e2e generate doc deny images bench demo demo-down cluster-up cluster-shell cluster-down cluster-conformance

help: ## Lists the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16
build: ## Compiles every program
	cargo build --workspace
fmt: ## Formats the sources
	cargo fmt --all && gofmt -w tests/e2e/cluster
lint: ## Lints; warnings are errors
	cargo clippy --workspace --all-targets -- -D warnings
check: ## Formatting, lints and every test that needs no cluster
	cargo xtask check
test: ## Everything that `check` does, and the suite on a real cluster
	cargo xtask test
e2e: ## The suite on a real cluster alone
	cargo xtask e2e
generate: ## Rewrites generated files
	cargo xtask generate
doc: ## Builds the API documentation
	cargo doc --workspace --no-deps
deny: ## Checks licences, sources and banned crates; needs cargo-deny
	cargo deny check bans licenses sources
images: ## Builds the container images as OCI archives
	cargo xtask images
bench: ## Measures the shipped controller, with a stub and with a real API server
	cargo xtask bench
demo: ## Shows the product on a cluster of its own
	cargo xtask demo
demo-down: ## Removes the demo's cluster
	cargo xtask demo-down
cluster-up: ## Starts the cluster CLUSTER (default dev) with NODES nodes (default 1)
	cargo xtask cluster-up $(CLUSTER) --nodes $(NODES)
cluster-shell: ## Opens a shell with kubectl and helm in the cluster CLUSTER
	cargo xtask cluster-shell $(CLUSTER)
cluster-down: ## Removes the cluster CLUSTER
	cargo xtask cluster-down $(CLUSTER)
cluster-conformance: ## Judges the test cluster by upstream's own specs; 10 min, as root
	cargo xtask cluster-conformance
