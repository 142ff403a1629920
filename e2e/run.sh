#!/usr/bin/env bash
# The official SDKs, then Schemathesis, against the running product with the mock provider behind
# it. Usage: e2e/run.sh [RESULTS_DIRECTORY]; reports go there as sdk-python.xml,
# sdk-typescript.tap and schema-….xml.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${AUDIT_LAYER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/audit-layer}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
scratch=$(mktemp -d)
results=${1:-$scratch}
pids=()

finish() {
  local pid
  for pid in "${pids[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$scratch"
}
trap finish EXIT

# listening FILE WORDS: the URL after these words in the output; fails when the process has ended.
listening() {
  local tries
  for tries in $(seq 300); do
    if grep -qs "$2 listening on" "$1"; then sed -n "s/.*$2 listening on //p" "$1" | head -n 1; return; fi
    sleep 0.1
  done
  echo "e2e: $2 did not start:" >&2
  cat "$1" >&2
  return 1
}

cargo build --quiet --locked -p cli
cargo build --quiet --locked -p testkit --example mock_provider

"$CARGO_TARGET_DIR/debug/examples/mock_provider" 127.0.0.1:0 >"$scratch/provider.txt" 2>&1 &
pids+=($!)
provider=$(listening "$scratch/provider.txt" "mock provider")

export AUDIT_LAYER_ADMIN_PASSWORD=e2e-admin-password
binary=$CARGO_TARGET_DIR/debug/audit-layer
# The starter bundle judges every call. Who is held is told soon: these tests wait for no person.
cat >"$scratch/audit-layer.toml" <<EOF
[policies]
directory = "$PWD/policies"
[reviews]
wait = "100ms"
EOF
"$binary" serve --config "$scratch/audit-layer.toml" --data "$scratch/data" --upstream "$provider" \
  --gateway-listen 127.0.0.1:0 --api-listen 127.0.0.1:0 >"$scratch/server.txt" 2>&1 &
pids+=($!)
E2E_GATEWAY=$(listening "$scratch/server.txt" gateway)
E2E_API=$(listening "$scratch/server.txt" api)
E2E_KEY=$("$binary" keys create --source e2e --data "$scratch/data" --json |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])')
E2E_READ_KEY=$("$binary" keys create --source e2e --scope read --data "$scratch/data" --json |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])')
E2E_ADMIN_PASSWORD=$AUDIT_LAYER_ADMIN_PASSWORD
export E2E_GATEWAY E2E_API E2E_KEY E2E_READ_KEY E2E_ADMIN_PASSWORD

failed=0
"$cache/venv/bin/python" -m pytest -q -p no:cacheprovider --junitxml="$results/sdk-python.xml" e2e/sdk || failed=1
(cd e2e/sdk && node --test --test-reporter=spec --test-reporter-destination=stdout \
  --test-reporter=tap --test-reporter-destination="$results/sdk-typescript.tap" ./*.test.mjs) || failed=1
# Last: it calls every route, those that take things away too.
"$cache/venv/bin/python" e2e/schema/run.py "$results" || failed=1

echo "e2e: everything that was just recorded has to verify"
"$binary" verify --data "$scratch/data" || failed=1
if [ "$failed" != 0 ]; then
  echo "e2e: the server said:" >&2
  tail -n 40 "$scratch/server.txt" >&2
fi
exit "$failed"
