#!/usr/bin/env bash
# Fails on snapshots that no test owns: each names its source file and its assertion, and both must be there.
set -euo pipefail
cd "$(dirname "$0")/.."
orphans=0
while IFS= read -r snapshot; do
    source=$(sed -n 's/^source: //p' "$snapshot" | head -n 1 | tr -d '"')
    name=$(basename "$snapshot" .snap)
    last=${name##*__}
    if [ ! -f "$source" ]; then
        echo "$snapshot: its test file ${source:-(unnamed)} is gone" >&2
        orphans=1
    elif ! grep -rqF -- "${last%%@*}" "$(dirname "$source")" --include='*.rs' && [ -z "${last##*-[0-9]*}" ]; then
        echo "$snapshot: no test in $(dirname "$source") names it" >&2
        orphans=1
    fi
done < <(git ls-files '*.snap')
exit $orphans
