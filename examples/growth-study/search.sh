#!/usr/bin/env bash
# The search for the best recipe: every spec of specs/growth-study/recipes/ with one seed. Restartable as compare.sh is.
set -euo pipefail
cd "$(dirname "$0")/../.."
tfc=${TFC:-target/release/tfc}
examples/growth-study/text.sh
for spec in specs/growth-study/recipes/*.tfm; do
    run=runs/growth-search/$(basename "$spec" .tfm)
    [ -f "$run/finished" ] && continue
    resume=()
    [ -d "$run" ] && resume=(--resume)
    "$tfc" train "$spec" --out "$run" "${resume[@]}" "$@"
    touch "$run/finished"
    rm -rf "$run/checkpoints"
done
"$tfc" compare runs/growth-search/* | sed '/^$/,$d'
