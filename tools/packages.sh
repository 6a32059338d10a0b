# Sourced by demo.sh and test.sh: sees that the packages to build with are there, installs what is missing, and builds.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
configure_options=()  # of cmake, for a folder that is not configured yet

# Names of Debian packages that are missing, judged by what they bring, so that other ways of installing count too.
missing_packages() {
  command -v g++ >/dev/null || echo g++
  command -v cmake >/dev/null || echo cmake
  command -v ninja >/dev/null || command -v make >/dev/null || echo ninja-build
  # One call a header: the first missing one would hide the others. Without a compiler only the usual places can be looked at.
  local pair
  for pair in CLI/CLI.hpp=libcli11-dev nlohmann/json.hpp=nlohmann-json3-dev stb/stb_image.h=libstb-dev \
    doctest/doctest.h=doctest-dev pugixml.hpp=libpugixml-dev minizip/unzip.h=libminizip-dev; do
    if command -v g++ >/dev/null; then
      echo "#include <${pair%=*}>" | g++ -std=c++20 -x c++ -E - >/dev/null 2>&1 || echo "${pair#*=}"
    else
      [ -e "/usr/include/${pair%=*}" ] || [ -e "/usr/local/include/${pair%=*}" ] || echo "${pair#*=}"
    fi
  done
}

install_missing_packages() {
  local packages
  packages=$(missing_packages | tr '\n' ' ')
  packages=${packages% }
  [ -z "$packages" ] && return
  local line="apt-get update && apt-get install -y --no-install-recommends $packages"
  local as_root=
  if [ "$(id -u)" -ne 0 ]; then
    as_root="sudo -n"
    if ! sudo -n true 2>/dev/null; then
      echo "Missing: $packages. Run: sudo sh -c '$line'" >&2
      exit 1
    fi
  fi
  if ! command -v apt-get >/dev/null; then
    echo "Missing: $packages (names of Debian packages). Install them with your package manager." >&2
    exit 1
  fi
  echo "installing: $packages" >&2
  # The output is only of interest when something goes wrong.
  local log
  log=$(mktemp)
  if ! $as_root sh -c "export DEBIAN_FRONTEND=noninteractive; $line" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    echo "Installing failed. Run: sudo sh -c '$line'" >&2
    exit 1
  fi
  rm -f "$log"
}

# configure_and_build TARGET...: the targets, or all. A configured folder keeps its generator and its options.
configure_and_build() {
  if [ ! -f "$build/CMakeCache.txt" ]; then
    local generator=()
    command -v ninja >/dev/null && generator=(-G Ninja)
    cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release "${generator[@]}" "${configure_options[@]}" >&2
  fi
  local targets=()
  [ $# -gt 0 ] && targets=(--target "$@")
  cmake --build "$build" --parallel "$(nproc)" "${targets[@]}" >&2
}
