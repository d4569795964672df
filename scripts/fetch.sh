# What the scripts fetch-*.sh share: they source it, and say what to fetch, how to open it, and what of it to keep. A package is opened only if it is the one expected, and data
# appear whole under their name.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
script=$(basename "$0" .sh)

fail() {
    echo "$script: $1" >&2
    exit 3
}

# begin TARGET PROGRAM NEED: ends the script if the target is there. `work` is a folder that goes when the script ends.
begin() {
    target=$1
    if [ -d "$target" ]; then
        echo "$target is there already."
        exit 0
    fi
    command -v "$2" >/dev/null || fail "$3"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
}

# verify PACKAGE SHA256
verify() {
    echo "$2  $1" | sha256sum --check --quiet || fail "the package is not the one expected; nothing was kept."
}

# keep FOLDER WHAT: the folder becomes the target.
keep() {
    mkdir -p "$(dirname "$target")"
    mv "$1" "$target"
    echo "$(ls "$target" | wc -l) $2 in $target."
}
