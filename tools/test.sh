#!/usr/bin/env bash
# From a fresh checkout on Debian 12 or a recent Ubuntu to all tests passed: installs what is missing, builds, runs them.
# Takes options of ctest (-R NAME). Quick when run again. With --sanitize address|thread as its first option, all is
# built with that sanitizer (address includes undefined behaviour) in a folder of its own, and any report is a failure.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"

run=()
if [ "${1:-}" = --sanitize ]; then
  case "${2:-}" in address | undefined | thread) ;; *)
    echo "usage: tools/test.sh [--sanitize address|undefined|thread] [OPTION OF CTEST...]" >&2
    exit 2
    ;;
  esac
  build=$root/build-$2
  configure_options=(-DACOL_SANITIZE="$2")
  # The thread sanitizer's shadow memory must not meet randomly placed memory.
  if [ "$2" = thread ] && setarch -R true 2>/dev/null; then run=(setarch -R); fi
  shift 2
fi
install_missing_packages
configure_and_build
# Waiting threads of one test would burn the cores that its neighbours need (see tools/acol.cpp).
export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-1000}"
exec "${run[@]}" ctest --test-dir "$build" --output-on-failure --parallel "$(nproc)" "$@"
