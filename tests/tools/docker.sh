#!/bin/bash
# Installs a Docker engine and a static busybox, which the SAM tests need, unless they are installed.
set -euo pipefail

missing=()
docker version > /dev/null 2>&1 || command -v dockerd > /dev/null || missing+=(docker.io iptables)
command -v busybox > /dev/null || missing+=(busybox-static)
if [ ${#missing[@]} -eq 0 ]; then
    exit
fi
if ! command -v apt-get > /dev/null; then
    echo "docker.sh: apt-get is not available. Install these Debian packages or their equivalents: ${missing[*]}" >&2
    exit 1
fi
apt-get update --quiet=2
DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
