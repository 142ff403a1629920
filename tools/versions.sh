# Versions of the tools that tools/setup.sh builds. Sourced.
# shellcheck shell=bash disable=SC2034
CARGO_DENY=0.20.2
CARGO_MACHETE=0.9.2
CARGO_NEXTEST=0.9.143
CARGO_FUZZ=0.13.1
