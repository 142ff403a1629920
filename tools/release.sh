#!/usr/bin/env bash
# Builds in release, laid out by the profile of a run under load (tools/profile.sh makes it).
# Arguments go to `cargo build`.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${AUDIT_LAYER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/audit-layer}
# In the cache under its own hash: the same flag in every clone, another when the profile is.
profile=$cache/release-$(sha256sum <tools/release.profdata | cut -c1-16).profdata
[ -e "$profile" ] || { mkdir -p "$cache"; cp tools/release.profdata "$profile.$$"; mv "$profile.$$" "$profile"; }
# Code that has changed since is compiled without it, and needs no word about that.
export RUSTFLAGS="${RUSTFLAGS:-} -Cprofile-use=$profile -Cllvm-args=-no-pgo-warn-mismatch"
exec cargo build --quiet --locked --release "$@"
