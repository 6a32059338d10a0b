#!/usr/bin/env bash
# From a fresh checkout on Debian 12 or a recent Ubuntu to all tests passed: installs what is missing, builds, runs them.
# Takes options of ctest (-R NAME). Quick when run again.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"
install_missing_packages
configure_and_build
# Waiting threads of one test would burn the cores that its neighbours need (see tools/acol.cpp).
export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-1000}"
exec ctest --test-dir "$build" --output-on-failure --parallel "$(nproc)" "$@"
