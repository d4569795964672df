#!/usr/bin/env bash
# Fetches NVIDIA's assembler and disassembler for GPU code into target/ptxas: the tests assemble what tfc compiles for CUDA. Nothing else needs them.
# They are NVIDIA's, under its own licence, in its own Python packages; each is checked against its digest, and none is part of tfc.
set -euo pipefail
cd "$(dirname "$0")/.."

version=13.5.37
folder=target/ptxas/$version
[ -x "$folder/ptxas" ] && [ -x "$folder/nvdisasm" ] && exit 0

# For x86-64 and for aarch64.
requirements="nvidia-cuda-nvcc==$version \
  --hash=sha256:f5c4f7ead5d964fb4af42bbf1e6d3ec3c1e6e9d83b53749f691d387e7fcaa3a7 \
  --hash=sha256:588eda18eb5076ae859fe272844b526459228af22df0b117f54eec3aa82bc9c8
nvidia-cuda-nvdisasm==$version \
  --hash=sha256:d3fdbdd49fa53e2e4aacd3db8259d052bd2b049ececdcb69e92e083c6728e7ca \
  --hash=sha256:a3a8248074edb9fba63b74c38a5416b712a91ab09e70b8ab37186c3d293fc605"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "$requirements" >"$work/requirements.txt"
echo "setup: fetching ptxas $version"
if ! python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes --disable-pip-version-check \
    --dest "$work" --requirement "$work/requirements.txt" >"$work/log" 2>&1; then
    tail -n 5 "$work/log" >&2
    echo "setup: pip could not fetch ptxas; its last words are above. tfc builds and runs without it; the tests that assemble GPU code fail." >&2
    exit 0
fi
mkdir -p "$folder"
for wheel in "$work"/*.whl; do
    python3 -m zipfile --extract "$wheel" "$work"
done
for program in ptxas nvdisasm; do
    found=$(find "$work" -name "$program" -type f)
    # A program appears whole under its name.
    install -m 755 "$found" "$folder/.$program.partial"
    mv "$folder/.$program.partial" "$folder/$program"
done
