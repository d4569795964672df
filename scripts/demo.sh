#!/usr/bin/env bash
# Trains specs/shakespeare.tfm, which grows twice, and lets it talk.
set -euo pipefail
cd "$(dirname "$0")/.."
run=runs/shakespeare-demo
if [ -d "$run" ]; then
    target/release/tfc train specs/shakespeare.tfm --out "$run" --resume
else
    target/release/tfc train specs/shakespeare.tfm --out "$run"
fi
echo
# Prompt and continuation fit the context of 128 bytes, so that the window need not slide.
target/release/tfc generate "$run" --prompt "**ROMEO**" --tokens 110 --temperature 0.7
echo
echo "The loss curve: $run/loss.svg and $run/report.html"
