#!/usr/bin/env bash
# Builds the product and starts its demo: built-in provider, sample traffic, nothing from outside.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --locked --release -p cli
exec "$CARGO_TARGET_DIR/release/audit-layer" serve --demo "$@"
