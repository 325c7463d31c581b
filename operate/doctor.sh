#!/bin/bash
# Checks prerequisites, and prints how to install each missing one. Changes nothing and does not use the network.
#
# usage: doctor.sh [run] [test] [build] [local] [deploy]     (default: all)
#
# run: `cargo run` and `cargo test`; test: `make test`; build: `make build`; local: `sam local`; deploy: `sam deploy`
# and the commands of docs/deploy.md and docs/runbook.md. Exits with 0 if nothing is missing, otherwise with 1.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

purposes=${*:-run test build local deploy}
for purpose in $purposes; do
    case $purpose in
        run | test | build | local | deploy) ;;
        *) echo "doctor.sh: unknown purpose $purpose; allowed: run test build local deploy" >&2; exit 1 ;;
    esac
done
status=0

# Succeeds if one of these purposes was requested.
for_any() {
    local wanted
    for wanted in "$@"; do
        case " $purposes " in *" $wanted "*) return 0 ;; esac
    done
    return 1
}
has() { type -P "$1" > /dev/null; }
ok() { echo "ok       $1"; }
later() { echo "later    $1"; }
missing() { echo "missing  $1"; status=1; }

rust() {
    local line channel='' installed
    while read -r line; do
        case $line in channel*) channel=${line#*\"}; channel=${channel%\"*} ;; esac
    done < rust-toolchain.toml
    if has rustup; then
        installed=$(rustup toolchain list 2> /dev/null)
        case $'\n'$installed in
            *$'\n'"$channel"-*) ok "Rust $channel" ;;
            *) missing "Rust $channel: rustup toolchain install $channel" ;;
        esac
    elif has rustc; then
        installed=$(rustc --version 2> /dev/null)
        case $installed in
            "rustc $channel "*) ok "Rust $channel" ;;
            *) missing "Rust $channel (found $installed): install rustup from https://rustup.rs" ;;
        esac
    else
        missing "Rust $channel: install rustup from https://rustup.rs, or add ~/.cargo/bin to PATH"
    fi
}

compiler() {
    local name
    for name in "${CC:-cc}" gcc clang; do
        if has "$name"; then ok "C compiler ($name)"; return; fi
    done
    missing "C compiler (for SQLite and AWS-LC): apt-get install gcc libc6-dev (macOS: xcode-select --install)"
}

python() {
    local version
    if ! has python3; then
        missing "Python 3.11 or newer (for the tools of make test and make build): apt-get install python3 python3-venv"
        return
    fi
    version=$(python3 -c 'import sys; print(*sys.version_info[:2], sep=".")' 2> /dev/null)
    if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
        missing "Python 3.11 or newer (for the tools of make test and make build); found ${version:-a python3 that does not run}"
    elif ! python3 -c 'import ensurepip, venv' 2> /dev/null; then
        missing "Python's venv (for the tools of make test and make build): apt-get install python3-venv"
    else
        ok "Python $version with venv"
    fi
}

tools() {
    if [ -e .tools/python/ready ] && [ ! tests/tools/requirements.txt -nt .tools/python/ready ]; then
        ok "SAM CLI and cargo-lambda in .tools"
    else
        later "SAM CLI and cargo-lambda: make build and make test install them in .tools"
    fi
}

targets() {
    local installed target
    has rustup || return
    installed=$(rustup target list --installed 2> /dev/null)
    for target in aarch64-unknown-linux-gnu x86_64-unknown-linux-gnu; do
        case $'\n'$installed$'\n' in
            *$'\n'"$target"$'\n'*) ok "Rust's target $target" ;;
            *) later "Rust's target $target: make build adds it" ;;
        esac
    done
}

# As root, `make test` installs Debian packages.
installs() { has apt-get && [ "$EUID" -eq 0 ]; }

docker_engine() {
    if has docker && timeout 5 docker version > /dev/null 2>&1; then
        ok "Docker engine"
    elif has dockerd && [ "$EUID" -eq 0 ]; then
        later "Docker engine: make test and make sam-local start it"
    elif installs; then
        later "Docker engine: make test and make sam-local install it"
    else
        missing "Docker engine that this user can access (for sam local): https://docs.docker.com/engine/install"
    fi
}

busybox() {
    if has busybox; then
        ok "busybox"
    elif installs; then
        later "busybox: make test installs it"
    else
        missing "busybox (for the test image of the functions): apt-get install busybox-static"
    fi
}

# Programs of make test, with their use and their Debian package.
test_programs() {
    local name use package
    while read -r name package use; do
        if has "$name"; then ok "$name"; else missing "$name ($use in make test): apt-get install $package"; fi
    done << 'LIST'
valgrind valgrind counts instructions
chromium chromium opens the console
node nodejs checks the console's page
npm npm installs what checks the page
LIST
}

machine() {
    local system
    system=$(uname -sm 2> /dev/null)
    case $system in
        "Linux x86_64") ok "Linux on x86_64" ;;
        *) missing "Linux on x86_64 (for make test); found ${system:-an unknown system}, where only cargo run and cargo test work" ;;
    esac
}

disk() {
    local need=$1 free
    has df || return
    free=$(($(df -Pk . | { read -r _; read -r _ _ _ free _; echo "$free"; }) / 1048576))
    if [ "$free" -ge "$need" ]; then
        ok "disk: $free GB free, $need GB required"
    else
        missing "disk: $free GB free, $need GB required for builds; cargo clean frees the space of older builds"
    fi
}

memory() {
    local need=$1 name kilobytes free
    [ -r /proc/meminfo ] || return
    while read -r name kilobytes _; do
        [ "$name" != MemAvailable: ] || free=$((kilobytes / 1048576))
    done < /proc/meminfo
    if [ "${free:-0}" -ge "$need" ]; then
        ok "memory: $free GB free, $need GB required"
    else
        missing "memory: ${free:-0} GB free, $need GB required for linking; stop other programs, or build with cargo build -j 1"
    fi
}

port() {
    local port=$1 what=$2 instead=$3
    if (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; then
        missing "port $port (for $what): another program uses it; stop that program, or $instead"
    else
        ok "port $port"
    fi
}

aws_cli() {
    local found
    if has aws; then
        found=$(aws --version 2> /dev/null)
        case $found in
            aws-cli/1.*) missing "AWS CLI 2 (for docs/deploy.md and docs/runbook.md; found ${found%% *}): https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html" ;;
            aws-cli/*) ok "AWS CLI ${found%% *}" ;;
            *) missing "AWS CLI 2 (for docs/deploy.md and docs/runbook.md); found an aws command that prints no version" ;;
        esac
    else
        missing "AWS CLI 2 (for docs/deploy.md and docs/runbook.md): https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
    fi
}

credentials() {
    local folder=${HOME:-}/.aws
    if [ -n "${AWS_ACCESS_KEY_ID:-}" ]; then
        if [ -n "${AWS_SECRET_ACCESS_KEY:-}" ]; then
            ok "AWS credentials in AWS_ACCESS_KEY_ID"
        else
            missing "AWS credentials: AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not"
        fi
    elif [ -n "${AWS_PROFILE:-}" ]; then
        if grep -qsF -e "[$AWS_PROFILE]" -e "[profile $AWS_PROFILE]" "$folder/credentials" "$folder/config"; then
            ok "AWS credentials in the profile of AWS_PROFILE"
        else
            missing "AWS credentials: ~/.aws has no profile $AWS_PROFILE; aws configure list-profiles lists the profiles"
        fi
    elif grep -qs '^\[default\]' "$folder/credentials" "$folder/config"; then
        ok "AWS credentials in ~/.aws"
    elif [ -n "${AWS_WEB_IDENTITY_TOKEN_FILE:-}${AWS_CONTAINER_CREDENTIALS_RELATIVE_URI:-}${AWS_CONTAINER_CREDENTIALS_FULL_URI:-}" ]; then
        ok "AWS credentials of this machine's role"
    else
        missing "AWS credentials: aws configure sso, or aws configure"
    fi
}

region() {
    local region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
    if [ -n "$region" ]; then
        ok "AWS region $region"
    elif grep -qs '^region *=' "${HOME:-}/.aws/config"; then
        ok "AWS region in ~/.aws/config"
    else
        missing "AWS region: export AWS_REGION=eu-central-1, or aws configure"
    fi
}

honeycomb() {
    local name
    for name in HONEYCOMB_API_KEY HONEYCOMB_CONFIGURATION_KEY; do
        case ${!name-} in
            '') ;;
            *[![:graph:]]*) missing "$name: it contains whitespace or line breaks; paste the key again" ;;
            *) ok "$name" ;;
        esac
    done
    if [ -n "${HONEYCOMB_API_KEY:-}" ] && [ "${HONEYCOMB_API_KEY:-}" = "${HONEYCOMB_CONFIGURATION_KEY:-}" ]; then
        missing "HONEYCOMB_API_KEY: it is the configuration key; use an ingest key, which can only send"
    fi
    case ${HONEYCOMB_API_ENDPOINT-} in
        '') ;;
        https://api.honeycomb.io | https://api.eu1.honeycomb.io) ok "HONEYCOMB_API_ENDPOINT" ;;
        *) missing "HONEYCOMB_API_ENDPOINT: it must be https://api.honeycomb.io or https://api.eu1.honeycomb.io; found ${HONEYCOMB_API_ENDPOINT}" ;;
    esac
}

! for_any run test build local || rust
! for_any run test build local || compiler
! for_any test build local deploy || python
! for_any test || machine
! for_any test build local deploy || tools
! for_any build local deploy || targets
! for_any test local || docker_engine
! for_any test || busybox
! for_any test || test_programs
if for_any test; then disk 20; elif for_any run build local; then disk 6; fi
! for_any run test build local || memory 3
! for_any run local || port 3000 "the local server" "cargo run -- --port 4567"
! for_any run local || port 8000 "the embedded DynamoDB" "cargo run -- --dynamodb-port 8001"
! for_any local || port 3001 "make sam-local" "wait until it stops"
! for_any deploy || aws_cli
! for_any deploy || credentials
! for_any deploy || region
honeycomb
exit "$status"
