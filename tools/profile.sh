#!/usr/bin/env bash
# Makes tools/release.profdata anew: builds the program so that it counts what it executes, and
# puts it under the load of bench/train.py.
set -euo pipefail
cd "$(dirname "$0")/.."
rustup component add llvm-tools
merge=$(rustc --print sysroot)/lib/rustlib/$(rustc --print host-tuple)/bin/llvm-profdata
counting=$CARGO_TARGET_DIR/counting
counts=$counting/counts
echo "profile: building the program that counts (ten minutes on two cores)" >&2
CARGO_TARGET_DIR=$counting RUSTFLAGS="-Cprofile-generate=$counts" \
  cargo build --quiet --locked --release -p cli
tools/release.sh -p testkit --example open_loop --example mock_provider
tools/release.sh -p index-sqlite --example index_rate
# What the compiler itself counted: macros and build scripts were built the same way.
rm -rf "$counts"
AUDIT_LAYER_PROGRAM=$counting/release/audit-layer \
  "$AUDIT_LAYER_CACHE/venv-bench-plot/bin/python" -m bench.train
"$merge" merge --sparse --output tools/release.profdata "$counts"
