// SIMD levels: names, errors, and that the forced level is the one that runs.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

// As the library is built: the kernels of every level are declared.
#if defined(__x86_64__) && !defined(ACOL_HAVE_X86_LEVELS)
#define ACOL_HAVE_X86_LEVELS
#endif

#include "tensor/check.h"
#include "tensor/cpu/gemm.h"
#include "tensor/kernels.h"
#include "tensor/simd/kernels.h"
#include "tensor/simd/level.h"

using namespace acol;

namespace {

constexpr SimdLevel all_levels[] = {SimdLevel::scalar, SimdLevel::avx2, SimdLevel::avx512};

// With FMA (1 + e) (1 - e) - 1 is -e^2; a multiplication that rounds first gives 0.
float fused_or_zero() {
  const float e = 0x1p-13f;
  const float x[] = {1, 1 + e}, w[] = {-1, 1 - e};
  float y = 0;
  cpu_kernels().conv2d_forward(Conv2dGeometry{1, 1, 1, 2, 1}, x, w, nullptr, false, &y);
  return y;
}

}  // namespace

TEST_CASE("levels: names both ways, unknown ones are errors") {
  for (const SimdLevel level : all_levels) CHECK(parse_simd_level(simd_name(level)) == level);
  for (const char* name : {"", "AVX2", "avx", "avx512f", "scalar ", "native"})
    CHECK_THROWS_AS(parse_simd_level(name), Error);
}

TEST_CASE("levels: scalar always runs; the first choice is supported") {
  CHECK(simd_supported(SimdLevel::scalar));
  CHECK(simd_supported(simd_in_use()));
  if (const char* wish = std::getenv("ACOL_SIMD"); wish != nullptr && *wish != '\0')
    CHECK(simd_in_use() == parse_simd_level(wish));
}

TEST_CASE("levels: forcing one uses it, an unsupported one is an error and changes nothing") {
  const SimdLevel before = simd_in_use();
  for (const SimdLevel level : all_levels) {
    INFO(std::string(simd_name(level)));
    if (simd_supported(level)) {
      use_simd(level);
      CHECK(simd_in_use() == level);
    } else {
      const SimdLevel kept = simd_in_use();
      CHECK_THROWS_AS(use_simd(level), Error);
      CHECK(simd_in_use() == kept);
    }
  }
  use_simd(before);
}

TEST_CASE("levels: the product really runs on the forced level's tiles") {
  const SimdLevel before = simd_in_use();
  const auto tiles = [](SimdLevel level) -> const GemmTiles& {
#if defined(ACOL_HAVE_X86_LEVELS)
    if (level == SimdLevel::avx512) return simd_kernels_avx512().gemm;
    if (level == SimdLevel::avx2) return simd_kernels_avx2().gemm;
#endif
    CHECK(level == SimdLevel::scalar);
    return simd_kernels_scalar().gemm;
  };
  for (const SimdLevel level : all_levels) {
    if (!simd_supported(level)) continue;
    INFO(std::string(simd_name(level)));
    use_simd(level);
    std::vector<float> c(64 * 64);
    std::atomic<int> rows_used = 0, columns_used = 0;  // by several threads
    Gemm gemm;
    gemm.m = 64, gemm.n = 64, gemm.k = 1;
    gemm.c = c.data();
    gemm.pack_a = [&](std::int64_t, int rows, std::int64_t, int, int tile_rows, float* block) {
      rows_used = tile_rows;
      for (int i = 0; i < (rows + tile_rows - 1) / tile_rows * tile_rows; ++i) block[i * gemm_stride] = 1;
    };
    gemm.pack_b = [&](std::int64_t, int, int, int tile_columns, float* block) {
      columns_used = tile_columns;
      for (int j = 0; j < 64; ++j) block[j / tile_columns * tile_columns * gemm_depth + j % tile_columns] = 2;
    };
    run_gemm(gemm);
    CHECK(std::all_of(c.begin(), c.end(), [](float value) { return value == 2; }));
    const auto ran_on = [&](const GemmTiles& set) {
      return std::any_of(set.shapes, set.shapes + set.count, [&](const GemmShape& shape) {
        return shape.rows == rows_used && shape.columns == columns_used;
      });
    };
    CHECK(ran_on(tiles(level)));
    for (const SimdLevel other : all_levels)
      if (other != level && simd_supported(other)) CHECK(!ran_on(tiles(other)));
  }
  use_simd(before);
}

#if defined(__x86_64__)
TEST_CASE("levels: the forced level's code really runs") {
  const SimdLevel before = simd_in_use();
  for (const SimdLevel level : all_levels) {
    if (!simd_supported(level)) continue;
    INFO(std::string(simd_name(level)));
    use_simd(level);
    CHECK(fused_or_zero() == (level == SimdLevel::scalar ? 0.0f : -0x1p-26f));
  }
  use_simd(before);
}
#endif

TEST_CASE("ACOL_SIMD: forces the level at the start; one it can not have is an error") {
  // Runs this program again, one other test case of it, with the variable set. ACOL_TEST_CHILD keeps the child from
  // doing the same.
  const std::filesystem::path self = "/proc/self/exe";
  if (std::getenv("ACOL_TEST_CHILD") != nullptr || !std::filesystem::exists(self)) return;
  const std::string program = std::filesystem::read_symlink(self).string();
  const auto runs_with = [&](const std::string& wish) {
    const std::string command = "ACOL_TEST_CHILD=1 ACOL_SIMD='" + wish + "' '" + program +
                                "' --test-case='levels: scalar always runs*' >/dev/null 2>&1";
    return std::system(command.c_str()) == 0;
  };
  for (const SimdLevel level : all_levels) CHECK(runs_with(simd_name(level)) == simd_supported(level));
  CHECK(runs_with(""));
  CHECK(!runs_with("sse9"));
}
