# Two commands do everything: `make demo` and `make test`. Both install what is missing first.

.PHONY: demo test check setup build bench verify-cuda verify-cuda-changes snapshots

# Fetch real text, train a byte-level model that grows twice, draw its loss, generate text.
demo: build
	scripts/fetch-shakespeare.sh
	scripts/demo.sh

# Everything that CI checks.
test: setup check
	scripts/test.sh

# The fast part: layout, lints.
check: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings

# Speed and memory against this machine's limits, and against peers if BENCH_PEERS names some (scripts/bench.py).
bench: build
	scripts/bench.py

# Assemble every kernel of every spec for every GPU, in both precisions, and hold each to what the cost model says of it; writes what becomes of them to
# tests/cuda/ledger (docs/cuda.md), from which CI knows what it need not assemble.
verify-cuda: setup
	TFC_VERIFY_CUDA=all cargo test --workspace --locked --test main -- --nocapture cuda::ptx

# The same of what has changed since; what has not is as the ledger says.
verify-cuda-changes: setup
	TFC_VERIFY_CUDA=changed cargo test --workspace --locked --test main -- --nocapture cuda::ptx

build: setup
	cargo build --release --locked

setup:
	@scripts/setup.sh
	@scripts/fetch-ptxas.sh

# Review snapshots that changed.
snapshots:
	cargo insta review --workspace
