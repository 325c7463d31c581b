#!/bin/bash
# Installs what sam.py needs besides the SAM CLI, unless it is there: a Docker engine and a static busybox.
set -euo pipefail

missing=()
docker version > /dev/null 2>&1 || command -v dockerd > /dev/null || missing+=(docker.io iptables)
command -v busybox > /dev/null || missing+=(busybox-static)
if [ ${#missing[@]} -eq 0 ]; then
    exit
fi
if ! command -v apt-get > /dev/null; then
    echo "install these first, by whatever name they have here: ${missing[*]}" >&2
    exit 1
fi
apt-get update --quiet=2
DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
