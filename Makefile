# Run `make` to see what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules
export PYTHONDONTWRITEBYTECODE := 1

CARGO_AUDITABLE := 0.7.7
AUDITABLE2CDX := 0.1.0
CARGO_DENY := 0.20.2
CFN_GUARD := 3.2.1
# Its rules of AWS Control Tower are what is used of it; what else it is for asks for a package of 100 MB.
GUARD_RULES := cdklabs.cdk-validator-cfnguard==0.0.62

python := .tools/python/ready
auditable := .tools/cargo-auditable-$(CARGO_AUDITABLE)/bin/cargo-auditable
auditable2cdx := .tools/auditable2cdx-$(AUDITABLE2CDX)/bin/auditable2cdx
deny := .tools/cargo-deny-$(CARGO_DENY)/bin/cargo-deny
policy := .tools/policy/ready
guard := .tools/cfn-guard-$(CFN_GUARD)/bin/cfn-guard
# The SAM CLI and cargo-lambda, and the zig that cargo-lambda finds by the first python3 on the path.
with_tools := PATH="$(CURDIR)/.tools/python/bin:$(CURDIR)/$(dir $(auditable)):$(CURDIR)/$(dir $(auditable2cdx)):$$PATH" \
  SAM_CLI_TELEMETRY=0

model := model::random_actions_match_the_model

pytest := $(with_tools) pytest
# With what `make unit` has built already, it takes no build of its own.
local := cargo test --locked --workspace --no-run

.PHONY: help
help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## start Cruddur on this machine: http://127.0.0.1:3000
	cargo run --locked

.PHONY: doctor
doctor: ## what this machine lacks for all of this, and how to get it (FOR="run test build local deploy")
	@operate/doctor.sh $(FOR)

.PHONY: check
check: lint deny workflows ## all that needs no running program: format, lints, documentation, dependencies

.PHONY: test
test: check unit contract template policy operate arm64 rie watch sam deployed ## every test there is, with all tools that they need

.PHONY: lint
lint: ## rustfmt, clippy and rustdoc, without a warning
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

.PHONY: deny
deny: $(deny) ## licences, sources, bans and advisories of the dependencies
	tests/tools/deny.sh $(deny)

.PHONY: workflows
workflows: $(python) ## those of .github: pinned, with no more permissions than they need
	.tools/python/bin/zizmor --offline --no-progress .github/workflows

.PHONY: unit
unit: ## cargo test: needs nothing but the Rust toolchain
	cargo test --locked --workspace

.PHONY: contract
contract: $(python) ## the running server beside its own description, by Schemathesis
	$(local)
	$(pytest) -n 2 tests/tools/test_contract.py

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

.PHONY: events
events: ## write events/api from tests/tools/events.py
	tests/tools/events.py

.PHONY: scale
scale: ## write the tables of docs/cost.md
	tests/tools/scale.py
	tests/tools/bill.py

.PHONY: fuzz
fuzz: ## parsers and the X-Ray translator on many more random inputs than `cargo test` takes
	PROPTEST_CASES=50000 cargo test --locked --release --package lambda-spans --all-features --lib

.PHONY: template
template: $(python) ## the template as SAM and cfn-lint see it
	$(with_tools) AWS_DEFAULT_REGION=us-east-1 sam validate --lint
	$(pytest) tests/tools/test_template*.py

.PHONY: operate
operate: $(python) ## test the scripts in operate/, the events, and the commands in the documents
	$(pytest) -n 2 tests/tools/test_{doctor,honeycomb,docs,events,engine}.py

.PHONY: honeycomb
honeycomb: ## columns, saved queries and a board in Honeycomb, as operate/honeycomb.json has them
	operate/honeycomb.py

.PHONY: pictures
pictures: x86_64 ## the pictures of docs/traces.md, from what the functions export here
	$(local)
	"$${CARGO_TARGET_DIR:-target}/debug/examples/traces" .aws-sam/x86_64/{Api,Stream}Function/bootstrap > docs/traces/data.json
	tests/tools/pictures.py

.PHONY: policy
policy: $(python) $(policy) $(guard) ## the templates beside the policies of cfn-lint, checkov and cfn-guard
	$(pytest) tests/tools/test_policy.py

.PHONY: build
build: $(python) $(auditable) ## what `sam deploy` deploys, for arm64 (ARCH=x86_64 for the other)
	$(with_tools) operate/build.sh $(or $(ARCH),arm64)$(if $(ARCH),, || { [ $$? -eq 3 ] && $(with_tools) operate/build.sh x86_64 && \
	  echo 'Built for x86_64 instead: sam deploy --parameter-overrides Architecture=x86_64 …'; })

.PHONY: release
release: $(python) $(auditable) $(auditable2cdx) ## zips, lists of components and checksums into dist/ (VERSION=…)
	$(with_tools) operate/release.sh $(VERSION)

.PHONY: reproducible
reproducible: x86_64 ## builds the last commit in another folder, and compares
	$(with_tools) tests/tools/reproducible.sh

# Lambda's image for this machine's processor.
native := $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)

.PHONY: sam-local
sam-local: $(native) docker ## the built functions in Lambda's image: http://127.0.0.1:3001, until Ctrl-C
	cargo build --locked --package local
	$(with_tools) .tools/python/bin/python tests/tools/sam_local.py .aws-sam/$(native)

.PHONY: rie
rie: x86_64 ## the built functions under AWS's Runtime Interface Emulator
	$(local)
	$(pytest) tests/tools/test_rie.py

.PHONY: watch
watch: $(python) ## every event by cargo lambda invoke, with its wrong deadlines
	$(local)
	$(pytest) tests/tools/test_watch.py

.PHONY: sam
sam: x86_64 docker ## what one does with `make sam-local`, and every event by sam local invoke
	$(local)
	$(pytest) tests/tools/test_sam.py

.PHONY: deployed
deployed: x86_64 docker ## sam deploy to a stand-in for AWS, and what users do over HTTP on what it deployed
	$(pytest) tests/tools/test_deploy.py

.PHONY: x86_64
x86_64: $(python) $(auditable)
	$(with_tools) operate/build.sh x86_64 .aws-sam/x86_64
	$(pytest) tests/tools/test_built.py --built .aws-sam/x86_64

# 3 is the answer where the target cannot be had.
.PHONY: arm64
arm64: $(python) $(auditable)
	{ $(with_tools) operate/build.sh arm64 .aws-sam/arm64 && $(pytest) tests/tools/test_built.py --built .aws-sam/arm64; } || [ $$? -eq 3 ]

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

$(policy): tests/policy/requirements.txt
	python3 -m venv --clear .tools/policy
	.tools/policy/bin/pip install --quiet --requirement $<
	.tools/policy/bin/pip install --quiet --no-deps $(GUARD_RULES)
	touch $@

# Each tool's own folder of build output would be larger than all the rest.
define cargo_install
cargo install --locked --version $(2) --root .tools/$(1)-$(2) --target-dir .tools/build $(1)
rm -rf .tools/build
endef

$(deny):
	$(call cargo_install,cargo-deny,$(CARGO_DENY))

$(auditable):
	$(call cargo_install,cargo-auditable,$(CARGO_AUDITABLE))

$(auditable2cdx):
	$(call cargo_install,auditable2cdx,$(AUDITABLE2CDX))

$(guard):
	$(call cargo_install,cfn-guard,$(CFN_GUARD))
