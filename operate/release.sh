#!/bin/bash
# Creates a release in dist/: a deployment zip for each function and buildable architecture, the CycloneDX component
# list of each binary, the templates, and SHA-256 checksums.
#
# usage: release.sh VERSION    (the version in Cargo.toml, which needs a section in CHANGELOG.md)
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: release.sh VERSION}
stated=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
if [ "$version" != "$stated" ]; then
    echo "release.sh: Cargo.toml has the version $stated, not $version; change one of them" >&2
    exit 2
fi
if ! grep -q "^## $version " CHANGELOG.md; then
    echo "release.sh: CHANGELOG.md has no section \`## $version\`; add the changes of this version" >&2
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
        # A fixed timestamp and order, so that equal binaries produce equal zips.
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
