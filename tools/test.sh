#!/usr/bin/env bash
# Runs everything and sums it up: the last line is "N passed, N failed", over the lint checks, the
# Rust tests, the SDK tests and Schemathesis. The exit code is not zero where anything failed.
set -uo pipefail
cd "$(dirname "$0")/.."
cache=${AUDIT_LAYER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/audit-layer}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

tools/lint.sh 2>&1 | tee "$results/lint.txt"

# nextest keeps its reports in the checkout, wherever the artefacts are.
rm -f target/nextest/default/junit.xml
cargo nextest run --locked --workspace --no-fail-fast || touch "$results/rust.failed"
cp target/nextest/default/junit.xml "$results/rust.xml" 2>/dev/null

e2e/run.sh "$results" || touch "$results/sdk.failed"

python3 tools/sum_results.py "$results"
