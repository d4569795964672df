#!/usr/bin/env bash
# All tests: unit and integration tests with exact snapshots, the documentation's build, then a growth in a running training and a resume
# through the command itself.
set -euo pipefail
cd "$(dirname "$0")/.."

# A snapshot that changed fails its test; INSTA_UPDATE=no keeps tests from writing new ones.
export INSTA_UPDATE=no
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast
else
    cargo test --workspace --locked --no-fail-fast
fi
scripts/orphans.sh
RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --locked --quiet
