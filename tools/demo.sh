#!/usr/bin/env bash
# From a fresh checkout on Debian 12 or a recent Ubuntu to the demo: installs what is missing, builds, draws a data set,
# trains CAM and ACoL on it, compares. Takes the options of `acol demo`. Quick when run again.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"
install_missing_packages
configure_and_build acol_program
exec "$build/acol" demo "$@"
