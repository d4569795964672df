#!/usr/bin/env bash
# What the comparison came to: a table on standard output, and comparison.svg and small.svg beside this script, of the runs that
# are finished. RUNS and OUT name other folders of runs and pictures.
set -euo pipefail
cd "$(dirname "$0")/../.."
tfc=${TFC:-target/release/tfc}
runs=${RUNS:-runs/growth-study}
out=${OUT:-examples/growth-study}
finished() {
    for name in "$@"; do
        for mark in "$runs/$name"-s*/finished; do
            [ -f "$mark" ] && dirname "$mark"
        done
    done
}
mapfile -t all < <(finished large large-half small transformer grown)
mapfile -t small < <(finished small)
# What follows the empty line says how the specs differ.
"$tfc" compare "${all[@]}" --svg "$out/comparison.svg" | sed '/^$/,$d'
"$tfc" compare "${small[@]}" --svg "$out/small.svg" >/dev/null
