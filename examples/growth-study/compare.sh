#!/usr/bin/env bash
# The whole comparison: every spec of specs/growth-study/ with three seeds. Runs that are finished are not repeated, one that was
# interrupted goes on, so this can be stopped and started again; at its end, or whenever called, collect.sh writes the results.
set -euo pipefail
cd "$(dirname "$0")/../.."
tfc=${TFC:-target/release/tfc}
examples/growth-study/text.sh
for seed in ${SEEDS:-1 2 3}; do
    for name in grown large large-half small transformer; do
        run=runs/growth-study/$name-s$seed
        [ -f "$run/finished" ] && continue
        resume=()
        [ -d "$run" ] && resume=(--resume)
        "$tfc" train "specs/growth-study/$name.tfm" --set "train.seed=$seed" --out "$run" "${resume[@]}" "$@"
        touch "$run/finished"
        rm -rf "$run/checkpoints"
    done
done
examples/growth-study/collect.sh
