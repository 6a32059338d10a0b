#include "tensor/simd/level.h"

#include <atomic>
#include <cstdlib>

#include "tensor/check.h"
#include "tensor/simd/kernels.h"

namespace acol {

namespace {

SimdLevel best_level() {
  if (simd_supported(SimdLevel::avx512)) return SimdLevel::avx512;
  if (simd_supported(SimdLevel::avx2)) return SimdLevel::avx2;
  return SimdLevel::scalar;
}

void require_supported(SimdLevel level) {
  check(simd_supported(level), "SIMD level ", simd_name(level), " is not available on this CPU or in this build; ",
        simd_name(best_level()), " is");
}

SimdLevel first_level() {
  const char* wish = std::getenv("ACOL_SIMD");
  if (wish == nullptr || *wish == '\0') return best_level();
  const SimdLevel level = parse_simd_level(wish);
  require_supported(level);
  return level;
}

std::atomic<SimdLevel>& current() {
  static std::atomic<SimdLevel> level{first_level()};
  return level;
}

}  // namespace

const char* simd_name(SimdLevel level) {
  switch (level) {
    case SimdLevel::avx2:
      return "avx2";
    case SimdLevel::avx512:
      return "avx512";
    case SimdLevel::scalar:
      break;
  }
  return "scalar";
}

SimdLevel parse_simd_level(const std::string& name) {
  for (const SimdLevel level : {SimdLevel::scalar, SimdLevel::avx2, SimdLevel::avx512})
    if (name == simd_name(level)) return level;
  fail("unknown SIMD level '", name, "': scalar, avx2 or avx512 (ACOL_SIMD)");
}

bool simd_supported(SimdLevel level) {
#if defined(ACOL_HAVE_X86_LEVELS)
  if (level == SimdLevel::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (level == SimdLevel::avx512) return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
#endif
  return level == SimdLevel::scalar;
}

SimdLevel simd_in_use() { return current(); }

void use_simd(SimdLevel level) {
  require_supported(level);
  current() = level;
}

const SimdKernels& simd_kernels() {
#if defined(ACOL_HAVE_X86_LEVELS)
  if (simd_in_use() == SimdLevel::avx512) return simd_kernels_avx512();
  if (simd_in_use() == SimdLevel::avx2) return simd_kernels_avx2();
#endif
  return simd_kernels_scalar();
}

}  // namespace acol
