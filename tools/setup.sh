#!/usr/bin/env bash
# Installs what is missing for a purpose: build | lint | test | bench | fuzz.
#
# Only git, make and the Rust toolchain that rust-toolchain.toml names are taken as given. Nothing
# here changes the system beyond installing Debian packages that are missing (as root or by sudo);
# all else goes into the cache directory. What is already there is recognised by stamp files whose
# names carry the hash of what they stand for, so that a second run does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-test}
cache=${AUDIT_LAYER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/audit-layer}
stamps=$cache/stamps
mkdir -p "$stamps" "$cache/tools"
# shellcheck source=tools/versions.sh
. tools/versions.sh
export PATH="$cache/tools/bin:$PATH"

say() { printf 'setup: %s\n' "$*" >&2; }
stop() { say "$*"; exit 1; }
hash_of() { sha256sum "$@" | sha256sum | cut -c1-16; }

# as_root COMMAND: runs it as root, or says what a person has to run.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else stop "needs root for: $* — run that as root, then make again"; fi
}

# packages COMMAND=PACKAGE…: installs the package of each command that is missing.
packages() {
  local missing=() pair
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || missing+=("${pair##*=}")
  done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || stop "install these by hand, this is no Debian: ${missing[*]}"
  say "installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# cargo_tool NAME VERSION: builds a cargo tool once, into the cache.
cargo_tool() {
  local name=$1 version=$2
  [ -e "$stamps/$name-$version" ] && return
  say "building $name $version (once; some minutes)"
  env -u CARGO_TARGET_DIR cargo install --quiet --locked --root "$cache/tools" "$name@$version"
  touch "$stamps/$name-$version"
}

# python_venv DIRECTORY REQUIREMENTS: a virtual environment with exactly these packages.
python_venv() {
  local venv=$1 requirements=$2 stamp
  stamp=$venv/stamp-$(hash_of "$requirements")
  [ -e "$stamp" ] && return
  say "installing Python packages of $requirements"
  python3 -c 'import ensurepip' 2>/dev/null || packages no-such-command=python3-venv
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
  touch "$stamp"
}

# node_modules DIRECTORY: the Node modules of its package-lock.json.
node_modules() {
  local dir=$1 stamp
  stamp=$dir/node_modules/stamp-$(hash_of "$dir/package-lock.json")
  [ -e "$stamp" ] && return
  say "installing Node modules of $dir"
  npm ci --silent --prefix "$dir"
  touch "$stamp"
}

# of_this_clone: Several clones share what was compiled, and cargo goes by the times of files: what
# another clone compiled since looks fresh, whatever was in it. After another clone all is newer.
of_this_clone() {
  local target=${CARGO_TARGET_DIR:-$cache/target}
  [ "$(cat "$target/clone" 2>/dev/null)" = "$PWD" ] && return
  find crates -type f -exec touch {} +
  mkdir -p "$target"
  printf '%s' "$PWD" >"$target/clone"
}

toolchain() {
  command -v cargo >/dev/null || stop "the Rust toolchain is missing: install the one that rust-toolchain.toml names"
  packages cc=build-essential
}

linters() { toolchain; cargo_tool cargo-deny "$CARGO_DENY"; cargo_tool cargo-machete "$CARGO_MACHETE"; }

of_this_clone
case $purpose in
  build) toolchain ;;
  lint) linters ;;
  test)
    packages cc=build-essential python3=python3 node=nodejs npm=npm strace=strace
    linters
    command -v cargo-nextest >/dev/null || cargo_tool cargo-nextest "$CARGO_NEXTEST"
    python_venv "$cache/venv" tools/requirements.txt
    node_modules e2e/sdk
    ;;
  bench)
    packages cc=build-essential python3=python3 node=nodejs npm=npm nginx=nginx-light wrk=wrk
    python_venv "$cache/venv-bench-plot" bench/requirements-plot.txt
    # Peers may be missing: the table then says so.
    python_venv "$cache/venv-bench" bench/requirements.txt || say "LiteLLM is not installable here; it is left out"
    python_venv "$cache/venv-bench-detectors" bench/requirements-detectors.txt || say "Presidio is not installable here; it is left out"
    node_modules bench/portkey || say "Portkey is not installable here; it is left out"
    ;;
  fuzz)
    packages cc=build-essential c++=build-essential
    cargo_tool cargo-fuzz "$CARGO_FUZZ"
    ;;
  *) stop "unknown purpose '$purpose'; one of build, lint, test, bench, fuzz" ;;
esac
