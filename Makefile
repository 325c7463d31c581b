# `make` lists the commands.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
# The commands share target/, .aws-sam/ and Docker. Only the lanes of `make test` run side by side.
ifndef LANES
.NOTPARALLEL:
endif
MAKEFLAGS += --no-builtin-rules
# Cargo would join make's job server, and the builds of two lanes would wait for each other.
unexport MAKEFLAGS MFLAGS
export PYTHONDONTWRITEBYTECODE := 1

CARGO_AUDITABLE := 0.7.7
AUDITABLE2CDX := 0.1.0

# Each environment is complete when its file `ready` exists.
lint := .tools/lint/ready
policy := .tools/policy/ready
node := .tools/node/ready
python := .tools/python/ready
auditable := .tools/cargo-auditable-$(CARGO_AUDITABLE)/bin/cargo-auditable
auditable2cdx := .tools/auditable2cdx-$(AUDITABLE2CDX)/bin/auditable2cdx
# The SAM CLI, cargo-lambda and the Python that contains zig for cargo-lambda.
with_tools := PATH="$(CURDIR)/.tools/python/bin:$(CURDIR)/$(dir $(auditable)):$(CURDIR)/$(dir $(auditable2cdx)):$$PATH" \
  SAM_CLI_TELEMETRY=0

workspaces := . adopter benches benches/load
rust_targets := $${CARGO_TARGET_DIR:-target}
# For the adopter and the benchmarks, which are workspaces and would have their own folders.
with_targets := CARGO_TARGET_DIR="$${CARGO_TARGET_DIR:-$(CURDIR)/target}"
pytest := $(with_tools) pytest
# Builds the local server and the test programs. It builds nothing after `make unit`.
build_tests := cargo test --locked --workspace --features lambda-console/mcp --no-run
define build_adopter
$(with_targets) cargo clippy --locked --manifest-path adopter/Cargo.toml --all-targets -- -D warnings
$(with_targets) cargo test --locked --manifest-path adopter/Cargo.toml --no-run
endef
model := model::random_actions_match_the_model
# The name of this machine's architecture in Lambda.
native := $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)

.PHONY: help
help:
	@awk -F ':.*## ' '/^##@ / { printf "%s%s\n", separator, substr($$0, 5); separator = "\n" } \
	  /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Run

.PHONY: run
run: ## start Cruddur on http://127.0.0.1:3000
	cargo run --locked

.PHONY: sam-local
sam-local: $(native) docker ## start the built functions in Lambda's image on http://127.0.0.1:3001
	cargo build --locked --package cruddur-local --package lambda-console
	$(with_tools) .tools/python/bin/python tests/tools/sam_local.py .aws-sam/$(native)

.PHONY: doctor
doctor: ## check the prerequisites (FOR="run test build local deploy")
	@operate/doctor.sh $(FOR)

##@ Check (starts no program of the project)

.PHONY: check
check: lint deny workflows ## run lint, deny and workflows

.PHONY: lint
lint: lint-text lint-rust ## check all source files

.PHONY: lint-text
lint-text: $(lint) ## check Python, shell scripts, Markdown links and spelling
	.tools/lint/bin/ruff check --quiet
	.tools/lint/bin/ruff format --check --quiet
	.tools/lint/bin/shellcheck .ci/run operate/*.sh tests/tools/*.sh
	.tools/lint/bin/rumdl check --quiet .
	.tools/lint/bin/typos

# rustdoc gets the targets and features of clippy, so that both share the metadata of the dependencies.
.PHONY: lint-rust
lint-rust: $(lint) ## check Rust: format, lints, rustdoc, unused dependencies, features
	for workspace in $(workspaces); do cargo fmt --manifest-path "$$workspace/Cargo.toml" --all --check; done
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --all-features --no-deps --document-private-items \
	  --lib --bin api --bin signup --bin stream --examples
	.tools/lint/bin/cargo-hack hack clippy --locked --package lambda-spans --lib --each-feature \
	  --exclude-features default --exclude-all-features -- -D warnings
	for workspace in $(workspaces); do .tools/lint/bin/cargo-shear --locked "$$workspace"; done

.PHONY: format
format: $(lint) ## format Rust, Python and Markdown
	for workspace in $(workspaces); do cargo fmt --manifest-path "$$workspace/Cargo.toml" --all; done
	.tools/lint/bin/ruff check --fix --quiet
	.tools/lint/bin/ruff format --quiet
	.tools/lint/bin/rumdl fmt --quiet .

.PHONY: deny
deny: $(lint) ## check licenses, sources and advisories of the dependencies
	tests/tools/deny.sh .tools/lint/bin/cargo-deny

.PHONY: workflows
workflows: $(lint) ## check GitHub's workflows for unpinned actions and needless permissions
	.tools/lint/bin/zizmor --offline --no-progress .github/workflows

.PHONY: minimum-rust
minimum-rust: $(lint) ## check lambda-spans with the oldest supported Rust
	.tools/lint/bin/cargo-hack hack check --locked --package lambda-spans --lib --all-features --rust-version

##@ Test

# `make test JOBS=1` runs everything one after the other.
JOBS ?= 4
# Runs lanes side by side. A lane runs its targets one after the other and prints the output of each when it ends.
side_by_side = $(MAKE) --no-print-directory --jobs=$(JOBS) LANES=yes
lane = @$(MAKE) --no-print-directory --output-sync=target --jobs=2 LANES=

# rustup installs the toolchain at the first use, which must not happen in two lanes at once.
.PHONY: test
test: $(lint) ## run all checks and tests; installs the tools into .tools (JOBS=1: nothing side by side)
	cargo --version
	$(side_by_side) lane-check lane-compile lane-functions
	$(side_by_side) lane-unit lane-tools
	@echo 'All checks and tests passed.'

# The lanes of a command share no target folder and no Python environment that is not installed yet.
.PHONY: lane-check lane-compile lane-functions lane-unit lane-tools
lane-check:
	$(lane) lint-text deny workflows $(policy) docker
lane-compile:
	$(lane) lint-rust compile
lane-functions:
	$(lane) x86_64 arm64
lane-unit:
	$(lane) unit adopter
lane-tools:
	$(lane) tools PREPARED=yes

.PHONY: unit
unit: ## run cargo test; requires only Rust and a C compiler
	cargo test --locked --workspace --features lambda-console/mcp

.PHONY: adopter
adopter: ## lint and test a program that uses lambda-spans as its users do
	$(build_adopter)
	$(with_targets) cargo test --locked --manifest-path adopter/Cargo.toml

.PHONY: model
model: ## compare 100,000 random user sessions with a simple model (make unit: 10,000)
	PROPTEST_CASES=100000 cargo test --locked --package cruddur --test it -- --exact $(model)

.PHONY: fuzz
fuzz: ## test parsers and the X-Ray translator with 50,000 random inputs each
	PROPTEST_CASES=50000 cargo test --locked --release --package lambda-spans --all-features --lib

.PHONY: tools
tools: contract template policy operate streams receivers console page instructions arm64 rie watch sam deployed ## run the tests from contract to deployed, and check generated files

.PHONY: contract
contract: $(python) ## compare the running server with docs/openapi.json (Schemathesis)
	$(build_tests)
	$(pytest) -n 2 tests/tools/test_contract.py

.PHONY: template
template: $(python) ## validate template.yaml (sam validate, cfn-lint)
	$(with_tools) AWS_DEFAULT_REGION=us-east-1 sam validate --lint
	$(pytest) tests/tools/test_template*.py tests/tools/test_rollout.py

.PHONY: policy
policy: $(python) $(policy) ## check both templates against policies (cfn-lint, checkov, cfn-guard)
	$(pytest) tests/tools/test_policy.py

.PHONY: operate
operate: $(python) ## test the scripts in operate/, the events, and the commands in the documents
	$(pytest) -n 2 tests/tools/test_{doctor,honeycomb,verify,orphans,docs,events,engine}.py

.PHONY: streams
streams: $(python) ## read the local server's stream with boto3
	$(build_tests)
	$(pytest) tests/tools/test_streams.py

.PHONY: receivers
receivers: $(python) ## decode spans for X-Ray with opentelemetry-proto and check signatures with botocore
	$(build_tests)
	$(pytest) -n 2 tests/tools/test_receivers.py

.PHONY: console
console: $(python) $(node) ## use the console in a browser, and send to it with the SDKs of others (tsc, Playwright, axe)
	.tools/node/node_modules/.bin/tsc --project crates/console/web
	$(build_tests)
	$(pytest) -n 2 tests/tools/test_console*.py

.PHONY: console-load
console-load: ## send a million spans to a release build of the console, and print spans per second and memory
	cargo build --locked --release --package lambda-console --bin lambda-console --example flood
	"$(rust_targets)/release/examples/flood" "$(rust_targets)/release/lambda-console" $(FLOOD)

.PHONY: page
page: $(python) $(node) ## use Cruddur's page in a browser, and follow its traces into the console (tsc, Playwright, axe)
	.tools/node/node_modules/.bin/tsc --project crates/local/web
	$(build_tests)
	$(pytest) -n 2 tests/tools/test_page*.py

.PHONY: instructions
instructions: ## compare the instructions of tracing with benches/instructions.txt (UPDATE=1 writes it); needs valgrind
	$(with_targets) cargo run --locked --manifest-path benches/Cargo.toml --bin bench -- \
	  --instructions benches/instructions.txt $(if $(UPDATE),--update)

.PHONY: rie
rie: x86_64 ## run the built functions in AWS's Runtime Interface Emulator
	$(build_tests)
	$(pytest) tests/tools/test_rie.py

.PHONY: watch
watch: $(python) ## invoke every event with cargo lambda invoke
	$(build_tests)
	$(pytest) tests/tools/test_watch.py

.PHONY: sam
sam: x86_64 docker ## invoke every event with sam local invoke, and use sam local start-api
	$(build_tests)
	$(pytest) tests/tools/test_sam.py

.PHONY: deployed
deployed: x86_64 docker ## deploy to an AWS emulator and use the deployed API
	$(pytest) tests/tools/test_deploy.py

##@ Measure

.PHONY: bench
bench: ## measure the cost of tracing into benches/RESULTS.md (20 minutes to build, 15 to run)
	cargo run --release --locked --manifest-path benches/Cargo.toml --bin bench -- --write benches/RESULTS.md

.PHONY: load
load: ## measure the local server under load into docs/load.md (LOAD="--help" lists options)
	cargo build --locked --release --package cruddur-local
	cargo run --release --locked --manifest-path benches/load/Cargo.toml -- \
	  --server "$(rust_targets)/release/cruddur-local" --write docs/load.md $(LOAD)

##@ Build and deploy

.PHONY: build
build: $(python) $(auditable) ## build the functions for sam deploy (ARCH=arm64 or x86_64)
	$(with_tools) operate/build.sh $(or $(ARCH),arm64)$(if $(ARCH),, || { [ $$? -eq 3 ] && $(with_tools) operate/build.sh x86_64 && \
	  echo 'Built for x86_64 instead: sam deploy --parameter-overrides Architecture=x86_64 …'; })

.PHONY: release
release: $(python) $(auditable) $(auditable2cdx) ## write zips, component lists and checksums to dist/ (VERSION=…)
	$(with_tools) operate/release.sh $(VERSION)

.PHONY: reproducible
reproducible: $(python) $(auditable) ## build the last commit twice and compare the binaries
	$(with_tools) tests/tools/reproducible.sh

.PHONY: honeycomb
honeycomb: ## apply operate/honeycomb.json: columns, queries, board, triggers and SLO in Honeycomb
	operate/honeycomb.py

##@ Write generated files

.PHONY: events
events: ## write events/api from tests/requests.json
	tests/tools/events.py

.PHONY: scale
scale: ## write the tables of docs/cost.md
	docs/generate/scale.py
	docs/generate/bill.py

.PHONY: spans
spans: ## write docs/traces/data.json, the spans of some invocations, for docs/cost.md
	cargo build --locked --workspace --examples --bins
	"$(rust_targets)/debug/examples/traces" "$(rust_targets)"/debug/{api,stream} > docs/traces/data.json

.PHONY: screenshots
screenshots: $(python) ## write the screenshots of the page and the console in docs/traces
	$(build_tests)
	PYTHONPATH=tests/tools .tools/python/bin/python docs/generate/screenshots.py

##@ Clean

.PHONY: clean-tools
clean-tools: ## delete the installed tools
	rm -rf .tools

# Steps of the commands above.

.PHONY: compile
compile:
	$(build_tests)
	$(build_adopter)

# `make test` has built and installed them before it runs the tools.
ifdef PREPARED
.PHONY: x86_64 arm64 docker
x86_64 arm64 docker: ;
else

.PHONY: x86_64
x86_64: $(python) $(auditable)
	$(with_tools) operate/build.sh x86_64 .aws-sam/x86_64
	$(pytest) tests/tools/test_built.py --built .aws-sam/x86_64

# Not optimized: the optimization of the release profile takes ten minutes. `make rie PREPARED=yes` after `make release`
# tests the functions as released.
x86_64 arm64: export CARGO_PROFILE_RELEASE_OPT_LEVEL := 0
x86_64 arm64: export CARGO_PROFILE_RELEASE_LTO := off
x86_64 arm64: export CARGO_PROFILE_RELEASE_CODEGEN_UNITS := 16

# build.sh exits with 3 if the arm64 target cannot be installed.
.PHONY: arm64
arm64: $(python) $(auditable)
	{ $(with_tools) operate/build.sh arm64 .aws-sam/arm64 && $(pytest) tests/tools/test_built.py --built .aws-sam/arm64; } || [ $$? -eq 3 ]

.PHONY: docker
docker:
	tests/tools/docker.sh

endif

# Installs the packages of a requirements file into an environment. The files list dependencies too, so --no-deps
# prevents that an unpinned package is installed.
define python_environment
@python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' || \
  { echo 'Python 3.11 or newer with venv is required (Debian: apt-get install python3-venv).' >&2; exit 1; }
python3 -m venv --clear $(@D)
$(@D)/bin/pip install --quiet --no-deps --requirement $<
endef

$(lint): tests/lint/requirements.txt
	$(python_environment)
	touch $@

$(python): tests/tools/requirements.txt
	$(python_environment)
	touch $@

$(policy): tests/policy/requirements.txt
	$(python_environment)
	tar --extract --gzip --file $(@D)/lib/python*/site-packages/cdklabs/cdk_validator_cfnguard/_jsii/*.tgz \
	  --directory $(@D)/bin --strip-components=4 "package/bin/ubuntu/$$(uname -m)/cfn-guard"
	touch $@

# Only the checks of the console's page need Node.js.
$(node): crates/console/web/package.json crates/console/web/package-lock.json
	rm -rf $(@D)
	mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

# No package contains these two prebuilt. They run for milliseconds, so they are not optimized. The build folder is deleted
# because it is larger than all other tools.
define cargo_install
CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
  cargo install --locked --version $(2) --root .tools/$(1)-$(2) --target-dir .tools/build $(1)
rm -rf .tools/build
endef

$(auditable):
	$(call cargo_install,cargo-auditable,$(CARGO_AUDITABLE))

$(auditable2cdx):
	$(call cargo_install,auditable2cdx,$(AUDITABLE2CDX))
