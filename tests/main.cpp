// The start of every test program. In the environment:
//   ACOL_TEST_DEVICE=cuda       its tests run on that device; where there is none, that is a skip with the reason,
//   ACOL_REQUIRE_CUDA=1         or with this a failure
//   ACOL_TEST_PRECISION=bf16    in that precision: tests/compare.h then checks the card's Bf16 table
//   ACOL_TEST_CASES_LEFT_OUT    a pattern of names
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "tensor/check.h"
#include "tensor/device.h"

namespace {

constexpr int skipped = 77;  // as CMakeLists.txt tells ctest

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

int main(int argc, char** argv) {
  if (const std::string device = environment("ACOL_TEST_DEVICE"); !device.empty()) try {
      acol::use_device(acol::parse_device(device));
      if (const std::string precision = environment("ACOL_TEST_PRECISION"); !precision.empty())
        acol::use_precision(acol::parse_precision(precision));
      if (const acol::DeviceMemory* memory = acol::device_memory())
        std::cout << "on " << memory->describe() << std::endl;
    } catch (const acol::Error& error) {
      const bool required = environment("ACOL_REQUIRE_CUDA") == "1";
      std::cout << (required ? "failed: " : "skipped: ") << error.what() << std::endl;
      return required ? 1 : skipped;
    }
  doctest::Context tests(argc, argv);
  if (const std::string names = environment("ACOL_TEST_CASES_LEFT_OUT"); !names.empty())
    tests.addFilter("test-case-exclude", names.c_str());
  return tests.run();
}
