#!/usr/bin/env bash
# The checks that run no test: each is named, all run, one that fails fails the whole.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0

check() {
  local name=$1
  shift
  if "$@"; then echo "ok: $name"; else echo "FAILED: $name" >&2; failed=$((failed + 1)); fi
}

check "format" cargo fmt --all -- --check
check "clippy" cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
check "dependency rules" cargo deny --log-level warn --locked check bans licenses sources
check "unused dependencies" cargo machete --skip-target-dir
[ "$failed" = 0 ]
