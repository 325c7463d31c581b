# Run `make` to see what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules
export PYTHONDONTWRITEBYTECODE := 1

CARGO_DENY := 0.20.2

python := .tools/python/ready
deny := .tools/cargo-deny-$(CARGO_DENY)/bin/cargo-deny
# The SAM CLI and cargo-lambda, and the zig that cargo-lambda finds by the first python3 on the path.
with_tools := PATH="$(CURDIR)/.tools/python/bin:$$PATH" SAM_CLI_TELEMETRY=0

model := model::whatever_users_do_every_page_shows_what_a_plain_model_has

# With what `make unit` has built already, it takes no build of its own.
local := cargo test --locked --workspace --no-run

.PHONY: help
help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## start Cruddur on this machine: http://127.0.0.1:3000
	cargo run --locked

.PHONY: check
check: lint deny ## all that needs no running program: format, lints, documentation, dependencies

.PHONY: test
test: check scale-is-fresh unit contract template arm64 rie sam ## every test there is, with all tools that they need

.PHONY: lint
lint: ## rustfmt, clippy and rustdoc, without a warning
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

.PHONY: deny
deny: $(deny) ## licences, sources, bans and advisories of the dependencies
	tests/tools/deny.sh $(deny)

.PHONY: unit
unit: ## cargo test: needs nothing but the Rust toolchain
	cargo test --locked --workspace

.PHONY: contract
contract: $(python) ## the running server beside its own description, by Schemathesis
	$(local)
	.tools/python/bin/python tests/tools/contract.py

.PHONY: model
model: ## what users do in a hundred thousand random sequences, beside a plain model; `make unit` does ten thousand
	PROPTEST_CASES=100000 cargo test --locked --package cruddur --test it -- --exact $(model)

.PHONY: bench
bench: ## what tracing costs, beside none and beside peers, into benches/RESULTS.md; some 20 minutes to build once, 6 to run
	cargo run --release --locked --manifest-path benches/Cargo.toml --bin bench -- --write benches/RESULTS.md

.PHONY: load
load: ## a mixed load on the local server, into docs/load.md
	cargo build --locked --release --package local
	cargo run --release --locked --manifest-path benches/load/Cargo.toml -- \
	  --server "$${CARGO_TARGET_DIR:-target}/release/local" --write docs/load.md $(LOAD)

.PHONY: scale
scale: ## what a million users cost, and where each partition stands, into docs/scale.md
	tests/tools/scale.py > docs/scale.md

.PHONY: scale-is-fresh
scale-is-fresh:
	tests/tools/scale.py | diff -u docs/scale.md - || { echo 'run `make scale`'; exit 1; }

.PHONY: fuzz
fuzz: ## parsers and the X-Ray translator on many more random inputs than `cargo test` takes
	PROPTEST_CASES=50000 cargo test --locked --release --package lambda-spans --all-features --lib

.PHONY: template
template: $(python) ## the template as SAM and cfn-lint see it
	$(with_tools) AWS_DEFAULT_REGION=us-east-1 sam validate --lint
	.tools/python/bin/python tests/tools/template.py

.PHONY: build
build: $(python) ## what `sam deploy` deploys, for arm64 (ARCH=x86_64 for the other)
	rustup target add $(if $(filter x86_64,$(ARCH)),x86_64,aarch64)-unknown-linux-gnu
	$(with_tools) sam build --parameter-overrides Architecture=$(or $(ARCH),arm64)

.PHONY: rie
rie: x86_64 ## the built functions under AWS's Runtime Interface Emulator
	$(local)
	tests/tools/rie.py $(addprefix .aws-sam/x86_64/,$(addsuffix Function/bootstrap,Api Signup Stream))

.PHONY: sam
sam: x86_64 docker ## sam local invoke and sam local start-api
	$(local)
	$(with_tools) tests/tools/sam.py .aws-sam/x86_64

.PHONY: x86_64
x86_64: $(python)
	$(with_tools) tests/tools/build.sh x86_64

.PHONY: arm64
arm64: $(python)
	$(with_tools) tests/tools/build.sh arm64 || [ $$? -eq 3 ]

.PHONY: docker
docker:
	tests/tools/docker.sh

.PHONY: clean-tools
clean-tools: ## remove what `make test` installed into .tools
	rm -rf .tools

$(python): tests/tools/requirements.txt
	python3 -m venv --clear .tools/python
	.tools/python/bin/pip install --quiet --requirement $<
	touch $@

$(deny):
	cargo install --locked --version $(CARGO_DENY) --root .tools/cargo-deny-$(CARGO_DENY) --target-dir .tools/build cargo-deny
	rm -rf .tools/build
