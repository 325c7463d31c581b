#!/bin/bash
# Runs cargo-deny on the workspace. If RustSec's database cannot be downloaded, the script prints a warning and checks
# only for yanked versions.
#
# usage: deny.sh PATH_OF_CARGO_DENY
set -euo pipefail
deny=${1:?usage: deny.sh PATH_OF_CARGO_DENY}
databases=.tools/advisory-dbs

"$deny" --workspace --all-features --locked check bans licenses sources

mkdir -p "$databases"
if output=$("$deny" --locked fetch db 2>&1); then
    "$deny" --workspace --all-features --locked check --disable-fetch advisories
    exit
fi

echo "$output" >&2
database=$(mktemp -d)
trap 'rm -rf "$database" "$databases"' EXIT
mkdir -p "$database/crates/none"
# cargo-deny rejects a database without advisories.
cat > "$database/crates/none/placeholder.md" <<'ADVISORY'
```toml
[advisory]
id = "NONE-0000-0001"
package = "none"
date = "2026-01-01"
informational = "notice"

[versions]
patched = []
```

# Nothing
ADVISORY
git -C "$database" init --quiet --initial-branch main
git -C "$database" add .
git -C "$database" -c user.name=deny -c user.email=deny@localhost commit --quiet --message "None"
GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$database.insteadOf" \
    GIT_CONFIG_VALUE_0=https://github.com/RustSec/advisory-db \
    "$deny" --workspace --all-features --locked check advisories
echo "ADVISORIES NOT CHECKED: RustSec's database cannot be downloaded. No version is yanked."
