#!/bin/bash
# Builds the last commit once more, in a folder of another name, and compares with .aws-sam/x86_64, which must have been
# built of it. arm64 takes the same way.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -n "$(git status --porcelain -- Cargo.toml Cargo.lock src crates/lambda-spans docs/openapi.json operate)" ]; then
    echo "reproducible.sh: there are changes that are not committed, so the two would differ: commit them" >&2
    exit 2
fi
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
git clone --quiet . "$elsewhere/clone"
env --unset=CARGO_TARGET_DIR "$elsewhere/clone/operate/build.sh" x86_64
for function in ApiFunction SignupFunction StreamFunction; do
    cmp ".aws-sam/x86_64/$function/bootstrap" "$elsewhere/clone/.aws-sam/build/$function/bootstrap"
    sha256sum ".aws-sam/x86_64/$function/bootstrap"
done
