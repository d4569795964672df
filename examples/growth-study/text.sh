#!/usr/bin/env bash
# Fetches the text of the growth study, 16 MB, and turns it into tokens of a vocabulary of 4096.
set -euo pipefail
cd "$(dirname "$0")/../.."
tfc=${TFC:-target/release/tfc}
scripts/fetch-speeches.sh
scripts/fetch-shakespeare.sh
[ -f data/growth-study/tokenizer.json ] ||
    "$tfc" data data/speeches data/shakespeare --tokenizer bpe:4096 -o data/growth-study
