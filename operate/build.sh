#!/bin/bash
# Builds the template's functions for one architecture, as deployed. Builds are reproducible: the same commit produces
# the same binaries on any machine. Each binary contains the list of its dependencies, for `cargo audit bin` or any other
# scanner that reads cargo-auditable's format.
#
# usage: build.sh arm64|x86_64 [FOLDER]    (default folder: .aws-sam/build)
#
# Requires sam, cargo-lambda, zig and cargo-auditable, which `make build` installs.
set -euo pipefail
cd "$(dirname "$0")/.."
architecture=${1:?usage: build.sh arm64|x86_64 [FOLDER]}
folder=${2:-.aws-sam/build}
case $architecture in
    arm64) target=aarch64-unknown-linux-gnu ;;
    x86_64) target=x86_64-unknown-linux-gnu ;;
    *) echo "build.sh: the architecture must be arm64 or x86_64, not \`$architecture\`" >&2; exit 2 ;;
esac

if ! rustup target add "$target"; then
    echo "$architecture: not built, because rustup cannot install the target $target" >&2
    exit 3
fi

# Panics and AWS-LC errors contain source paths. Remap them, so that they are the same on any machine.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
export CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$PWD=/cruddur"$'\x1f'"--remap-path-prefix=$cargo_home=/cargo"
export CFLAGS="-ffile-prefix-map=$PWD=/cruddur -ffile-prefix-map=$cargo_home=/cargo"

# The variables that `cargo auditable` sets. SAM runs cargo here, so this script sets them.
RUSTC_WORKSPACE_WRAPPER=$(command -v cargo-auditable)
export RUSTC_WORKSPACE_WRAPPER
export CARGO_AUDITABLE_ORIG_ARGS='{"offline":false,"locked":true,"frozen":false,"config":[]}'

# A separate folder, because different flags would make other builds recompile everything.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/deploy
sam build --build-dir "$folder" --parameter-overrides "Architecture=$architecture"
