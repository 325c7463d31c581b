#!/bin/bash
# Builds the template's functions for one architecture as they are deployed: bit for bit the same from the same commit
# on any machine, each with the list of its dependencies inside (read it with `cargo audit bin`, or any scanner that
# knows the format of cargo-auditable).
#
# usage: build.sh arm64|x86_64 [FOLDER]    (the folder is .aws-sam/build where none is named)
#
# Needs sam, cargo-lambda, zig and cargo-auditable; `make build` installs them first.
set -euo pipefail
cd "$(dirname "$0")/.."
architecture=${1:?usage: build.sh arm64|x86_64 [FOLDER]}
folder=${2:-.aws-sam/build}
case $architecture in
    arm64) target=aarch64-unknown-linux-gnu ;;
    x86_64) target=x86_64-unknown-linux-gnu ;;
    *) echo "build.sh: the architecture is arm64 or x86_64, not \`$architecture\`" >&2; exit 2 ;;
esac

if ! rustup target add "$target"; then
    echo "$architecture: NOT BUILT, since the target $target cannot be had here" >&2
    exit 3
fi

# Panics and AWS-LC's errors name source files: by the same names wherever they lie.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
export CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$PWD=/cruddur"$'\x1f'"--remap-path-prefix=$cargo_home=/cargo"
export CFLAGS="-ffile-prefix-map=$PWD=/cruddur -ffile-prefix-map=$cargo_home=/cargo"

# What `cargo auditable` sets before it calls cargo; here it is SAM that calls it.
RUSTC_WORKSPACE_WRAPPER=$(command -v cargo-auditable)
export RUSTC_WORKSPACE_WRAPPER
export CARGO_AUDITABLE_ORIG_ARGS='{"offline":false,"locked":true,"frozen":false,"config":[]}'

# Other flags than those of everyday builds, so a folder of their own: neither makes the other begin again.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/deploy
sam build --build-dir "$folder" --parameter-overrides "Architecture=$architecture"
