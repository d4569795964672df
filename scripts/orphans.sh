#!/usr/bin/env bash
# Fails on snapshots that no test looked at. The argument is the file in which insta has noted each one that a test compared with
# (INSTA_SNAPSHOT_REFERENCES_FILE).
set -euo pipefail
cd "$(dirname "$0")/.."
used=$(sort -u "$1" | xargs -r realpath --relative-to=. | sort -u)
orphans=$(comm -23 <(git ls-files '*.snap' | sort) <(printf '%s\n' "$used"))
if [ -n "$orphans" ]; then
    printf 'These snapshots belong to no test; remove them:\n%s\n' "$orphans" >&2
    exit 1
fi
