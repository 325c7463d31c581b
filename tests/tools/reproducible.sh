#!/bin/bash
# Builds the last commit here and in another folder, and compares the binaries. arm64 is built in the same way.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -n "$(git status --porcelain -- Cargo.toml Cargo.lock src crates/lambda-spans docs/openapi.json operate)" ]; then
    echo "reproducible.sh: uncommitted changes would make the builds differ. Commit them first." >&2
    exit 2
fi
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
operate/build.sh x86_64
git clone --quiet . "$elsewhere/clone"
env --unset=CARGO_TARGET_DIR "$elsewhere/clone/operate/build.sh" x86_64
for function in ApiFunction SignupFunction StreamFunction; do
    cmp ".aws-sam/build/$function/bootstrap" "$elsewhere/clone/.aws-sam/build/$function/bootstrap"
    sha256sum ".aws-sam/build/$function/bootstrap"
done
