#!/bin/bash
# cargo-deny on all the workspace. The advisories need RustSec's database; where it cannot be fetched the run says so,
# and only yanked versions are looked for.
#
# usage: deny.sh PATH_OF_CARGO_DENY
set -euo pipefail
deny=${1:?usage: deny.sh PATH_OF_CARGO_DENY}
databases=.tools/advisory-dbs

"$deny" --workspace --locked check bans licenses sources

mkdir -p "$databases"
if fetched=$("$deny" --locked fetch db 2>&1); then
    "$deny" --workspace --locked check --disable-fetch advisories
    exit
fi

echo "$fetched" >&2
empty=$(mktemp -d)
trap 'rm -rf "$empty" "$databases"' EXIT
mkdir -p "$empty/crates/none"
# A database without any advisory is taken for a broken one.
cat > "$empty/crates/none/placeholder.md" <<'ADVISORY'
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
git -C "$empty" init --quiet --initial-branch main
git -C "$empty" add .
git -C "$empty" -c user.name=deny -c user.email=deny@localhost commit --quiet --message "None"
GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$empty.insteadOf" \
    GIT_CONFIG_VALUE_0=https://github.com/RustSec/advisory-db \
    "$deny" --workspace --locked check advisories
echo "ADVISORIES NOT CHECKED: RustSec's database cannot be fetched here. No version is yanked."
