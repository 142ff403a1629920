#!/usr/bin/env bash
# Builds the product and starts its demo: built-in provider, sample traffic, nothing from outside.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ ! -e "$CARGO_TARGET_DIR/release/audit-layer" ]; then
  echo "run: building the program (once; five to ten minutes on two cores)" >&2
fi
tools/release.sh -p cli
ln -sf "$CARGO_TARGET_DIR/release/audit-layer" audit-layer
exec ./audit-layer serve --demo "$@"
