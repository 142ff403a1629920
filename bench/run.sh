#!/usr/bin/env bash
# Builds what is measured and measures it. Arguments go to bench.py (`--quick`, `--only …`).
set -euo pipefail
cd "$(dirname "$0")/.."
export AUDIT_LAYER_CACHE=${AUDIT_LAYER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/audit-layer}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$AUDIT_LAYER_CACHE/target}
tools/release.sh -p cli
tools/release.sh -p testkit --example open_loop --example mock_provider --example disk_alone
tools/release.sh -p index-sqlite --example index_rate
tools/release.sh -p policy --example detect_lines
if [ "${1:-}" = detectors ]; then
  exec "$AUDIT_LAYER_CACHE/venv-bench-plot/bin/python" -m bench.detectors
fi
"$AUDIT_LAYER_CACHE/venv-bench-plot/bin/python" -m bench.detectors
exec "$AUDIT_LAYER_CACHE/venv-bench-plot/bin/python" -m bench "$@"
