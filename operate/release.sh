#!/bin/bash
# What a release consists of, into dist/: for each architecture that can be built here and each function the zip that
# Lambda takes and its list of components (CycloneDX), read back from the binary; then the checksums of all.
#
# usage: release.sh VERSION    (that of Cargo.toml, which CHANGELOG.md must know)
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: release.sh VERSION}
stated=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
if [ "$version" != "$stated" ]; then
    echo "release.sh: the version is $stated in Cargo.toml, not $version: change one of them" >&2
    exit 2
fi
if ! grep -q "^## $version " CHANGELOG.md; then
    echo "release.sh: CHANGELOG.md has no section \`## $version\`: name what is new" >&2
    exit 2
fi

rm -rf dist
mkdir dist
for architecture in arm64 x86_64; do
    built=.aws-sam/$architecture
    status=0
    operate/build.sh "$architecture" "$built" || status=$?
    case $status in
        0) ;;
        3) continue ;;
        *) exit "$status" ;;
    esac
    for function in api signup stream; do
        bootstrap=$built/${function^}Function/bootstrap
        name=dist/cruddur-$function-$version-$architecture
        # A fixed time and order, so that equal binaries make equal zips.
        python3 - "$bootstrap" "$name.zip" <<'ZIP'
import sys
import zipfile

bootstrap, archive = sys.argv[1:]
entry = zipfile.ZipInfo("bootstrap")
entry.create_system, entry.external_attr, entry.compress_type = 3, 0o100755 << 16, zipfile.ZIP_DEFLATED
with zipfile.ZipFile(archive, "w") as writing, open(bootstrap, "rb") as reading:
    writing.writestr(entry, reading.read(), compresslevel=9)
ZIP
        auditable2cdx "$bootstrap" > "$name.cdx.json"
    done
done
cp template.yaml account.yaml dist/
(cd dist && sha256sum -- *.* > SHA256SUMS)
cat dist/SHA256SUMS
