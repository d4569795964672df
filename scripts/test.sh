#!/usr/bin/env bash
# All tests, with exact snapshots and no orphan among them, then the documentation's build.
set -euo pipefail
cd "$(dirname "$0")/.."

# The same random cases in every run of this script, so that a failure is the change's; `cargo test` by hand draws others.
export PROPTEST_RNG_SEED=20261123
# A snapshot that differs fails its test: tests write none.
export INSTA_UPDATE=no
export INSTA_SNAPSHOT_REFERENCES_FILE
INSTA_SNAPSHOT_REFERENCES_FILE=$(mktemp)
trap 'rm -f "$INSTA_SNAPSHOT_REFERENCES_FILE"' EXIT

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast
else
    cargo test --workspace --locked --no-fail-fast
fi
cargo test --workspace --locked --doc --quiet
scripts/orphans.sh "$INSTA_SNAPSHOT_REFERENCES_FILE"
RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet
