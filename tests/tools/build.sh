#!/bin/bash
# Builds the template's functions for one architecture into .aws-sam/ARCHITECTURE, as they are deployed, and looks at
# what came out.
#
# usage: build.sh arm64|x86_64
set -euo pipefail
architecture=${1:?usage: build.sh arm64|x86_64}
case $architecture in
    arm64) target=aarch64-unknown-linux-gnu machine=AArch64 ;;
    x86_64) target=x86_64-unknown-linux-gnu machine=X86-64 ;;
esac

if ! rustup target add "$target"; then
    echo "$architecture: NOT BUILT, since the target $target cannot be had here" >&2
    exit 3
fi
sam build --build-dir ".aws-sam/$architecture" --parameter-overrides "Architecture=$architecture"

bootstrap=.aws-sam/$architecture/ApiFunction/bootstrap
glibc=$(readelf --version-info "$bootstrap" | grep -o 'GLIBC_[0-9.]*' | sort --unique --version-sort | tail -1)
echo "$architecture: $(stat --format %s "$bootstrap") bytes, needs $glibc"
readelf --file-header "$bootstrap" | grep -q "Machine:.*$machine"
# Amazon Linux 2023 has glibc 2.34.
printf '%s\nGLIBC_2.34\n' "$glibc" | sort --check --version-sort
