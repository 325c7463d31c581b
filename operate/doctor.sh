#!/bin/bash
# Says what this machine lacks, what for, and how to get it. Changes nothing, asks nothing of the network.
#
# usage: doctor.sh [run] [test] [build] [local] [deploy]     (all of them by default)
#
# run: `cargo run` and `cargo test`; test: `make test`; build: `make build`; local: `sam local`; deploy: `sam deploy`,
# and the commands of docs/operate.md. Ends with 0 if nothing is missing, else with 1.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

purposes=${*:-run test build local deploy}
for purpose in $purposes; do
    case $purpose in
        run | test | build | local | deploy) ;;
        *) echo "doctor.sh: $purpose is none of: run test build local deploy" >&2; exit 1 ;;
    esac
done
lacking=0

# Whether one of these purposes was asked for.
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
missing() { echo "missing  $1"; lacking=1; }

rust() {
    local line channel='' installed
    while read -r line; do
        case $line in channel*) channel=${line#*\"}; channel=${channel%\"*} ;; esac
    done < rust-toolchain.toml
    if has rustup; then
        installed=$(rustup toolchain list 2> /dev/null)
        case $'\n'$installed in
            *$'\n'"$channel"-*) ok "Rust $channel" ;;
            *) missing "Rust $channel, which compiles all of it: rustup toolchain install $channel" ;;
        esac
    elif has rustc; then
        installed=$(rustc --version 2> /dev/null)
        case $installed in
            "rustc $channel "*) ok "Rust $channel" ;;
            *) missing "Rust $channel, which compiles all of it; here is $installed: get rustup, https://rustup.rs" ;;
        esac
    else
        missing "Rust $channel, which compiles all of it: get rustup, https://rustup.rs (is ~/.cargo/bin in PATH?)"
    fi
}

compiler() {
    local name
    for name in "${CC:-cc}" gcc clang; do
        if has "$name"; then ok "C compiler ($name)"; return; fi
    done
    missing "C compiler, for SQLite and the cryptography: apt-get install gcc libc6-dev (macOS: xcode-select --install)"
}

python() {
    local version
    if ! has python3; then
        missing "Python 3.10 or newer, for the tools of make test and make build: apt-get install python3 python3-venv"
        return
    fi
    version=$(python3 -c 'import sys; print(*sys.version_info[:2], sep=".")' 2> /dev/null)
    if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2> /dev/null; then
        missing "Python 3.10 or newer, for the tools of make test and make build; here is ${version:-one that does not start}"
    elif ! python3 -c 'import ensurepip, venv' 2> /dev/null; then
        missing "Python's venv, into which the tools are installed: apt-get install python3-venv"
    else
        ok "Python $version with venv"
    fi
}

tools() {
    if [ -e .tools/python/ready ] && [ ! tests/tools/requirements.txt -nt .tools/python/ready ]; then
        ok "SAM CLI and cargo-lambda in .tools"
    else
        later "SAM CLI and cargo-lambda: make build and make test install them into .tools"
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

# Debian's packages are installed by `make test` itself, for root.
installs() { has apt-get && [ "$EUID" -eq 0 ]; }

docker_engine() {
    if has docker && timeout 5 docker version > /dev/null 2>&1; then
        ok "Docker engine"
    elif has dockerd && [ "$EUID" -eq 0 ]; then
        later "Docker engine: make test and make sam-local start it"
    elif installs; then
        later "Docker engine: make test and make sam-local install it"
    else
        missing "Docker engine that this user may use, in which sam local runs the functions: https://docs.docker.com/engine/install"
    fi
}

busybox() {
    if has busybox; then
        ok "busybox"
    elif installs; then
        later "busybox: make test installs it"
    else
        missing "busybox, for the image that the functions are tested in: apt-get install busybox-static"
    fi
}

machine() {
    local system
    system=$(uname -sm 2> /dev/null)
    case $system in
        "Linux x86_64") ok "Linux on x86_64" ;;
        *) missing "Linux on x86_64, where make test runs; here is ${system:-unknown}: cargo run and cargo test are all that works" ;;
    esac
}

disk() {
    local need=$1 free
    has df || return
    free=$(($(df -Pk . | { read -r _; read -r _ _ _ free _; echo "$free"; }) / 1048576))
    if [ "$free" -ge "$need" ]; then
        ok "disk: $free GB are free of $need that it takes"
    else
        missing "disk: $free GB are free, $need are needed for what is compiled; cargo clean gives back what older builds took"
    fi
}

memory() {
    local need=$1 name kilobytes free
    [ -r /proc/meminfo ] || return
    while read -r name kilobytes _; do
        [ "$name" != MemAvailable: ] || free=$((kilobytes / 1048576))
    done < /proc/meminfo
    if [ "${free:-0}" -ge "$need" ]; then
        ok "memory: $free GB are free of $need that it takes"
    else
        missing "memory: ${free:-0} GB are free, $need are needed to link; end other programs, or build with cargo build -j 1"
    fi
}

port() {
    local port=$1 what=$2 instead=$3
    if (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; then
        missing "port $port, for $what: another program has it; end that, or $instead"
    else
        ok "port $port"
    fi
}

aws_cli() {
    if has aws; then
        ok "AWS CLI"
    else
        missing "AWS CLI, for the commands of docs/operate.md: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
    fi
}

credentials() {
    local folder=${HOME:-}/.aws
    if [ -n "${AWS_ACCESS_KEY_ID:-}" ]; then
        if [ -n "${AWS_SECRET_ACCESS_KEY:-}" ]; then
            ok "AWS credentials, by AWS_ACCESS_KEY_ID"
        else
            missing "AWS credentials: AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not"
        fi
    elif [ -n "${AWS_PROFILE:-}" ]; then
        if grep -qsF -e "[$AWS_PROFILE]" -e "[profile $AWS_PROFILE]" "$folder/credentials" "$folder/config"; then
            ok "AWS credentials, by AWS_PROFILE"
        else
            missing "AWS credentials: no profile $AWS_PROFILE is in ~/.aws; aws configure list-profiles shows those there are"
        fi
    elif grep -qs '^\[default\]' "$folder/credentials" "$folder/config"; then
        ok "AWS credentials, by ~/.aws"
    elif [ -n "${AWS_WEB_IDENTITY_TOKEN_FILE:-}${AWS_CONTAINER_CREDENTIALS_RELATIVE_URI:-}${AWS_CONTAINER_CREDENTIALS_FULL_URI:-}" ]; then
        ok "AWS credentials, by this machine's role"
    else
        missing "AWS credentials, to deploy with: aws configure sso, or aws configure"
    fi
}

region() {
    local region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
    if [ -n "$region" ]; then
        ok "AWS region $region"
    elif grep -qs '^region *=' "${HOME:-}/.aws/config"; then
        ok "AWS region, by ~/.aws/config"
    else
        missing "AWS region, to deploy to: export AWS_REGION=eu-central-1, or aws configure"
    fi
}

honeycomb() {
    local name
    for name in HONEYCOMB_API_KEY HONEYCOMB_CONFIGURATION_KEY; do
        case ${!name-} in
            '') ;;
            *[![:graph:]]*) missing "$name without blanks or line breaks: paste the key again" ;;
            *) ok "$name" ;;
        esac
    done
    if [ -n "${HONEYCOMB_API_KEY:-}" ] && [ "${HONEYCOMB_API_KEY:-}" = "${HONEYCOMB_CONFIGURATION_KEY:-}" ]; then
        missing "HONEYCOMB_API_KEY of its own: an ingest key, which may send and nothing else; here it is the configuration key"
    fi
    case ${HONEYCOMB_API_ENDPOINT-} in
        '') ;;
        https://api.honeycomb.io | https://api.eu1.honeycomb.io) ok "HONEYCOMB_API_ENDPOINT" ;;
        *) missing "HONEYCOMB_API_ENDPOINT that is Honeycomb's, https://api.honeycomb.io or https://api.eu1.honeycomb.io; here is ${HONEYCOMB_API_ENDPOINT}" ;;
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
if for_any test; then disk 20; elif for_any run build local; then disk 6; fi
! for_any run test build local || memory 3
! for_any run local || port 3000 "the local server" "cargo run -- --port 4567"
! for_any run local || port 8000 "the embedded DynamoDB" "cargo run -- --dynamodb-port 8001"
! for_any local || port 3001 "make sam-local" "wait for it"
! for_any deploy || aws_cli
! for_any deploy || credentials
! for_any deploy || region
honeycomb
exit "$lacking"
