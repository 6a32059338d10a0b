// Which vector instructions the CPU kernels use: detected once, forced by ACOL_SIMD=scalar|avx2|avx512 or use_simd().
#pragma once

#include <cstdint>
#include <string>

namespace acol {

// scalar: the compiler's baseline for the machine (SSE2 on x86-64, NEON on 64-bit Arm). avx2 includes FMA; avx512 is F
// + VL.
enum class SimdLevel : std::uint8_t { scalar, avx2, avx512 };

const char* simd_name(SimdLevel level);
// "scalar", "avx2" or "avx512"; anything else is an Error.
SimdLevel parse_simd_level(const std::string& name);

// True if this build has code for the level and this CPU runs it.
bool simd_supported(SimdLevel level);

// The level in use: at first ACOL_SIMD if set (an Error if unknown or unsupported), else the best supported one.
SimdLevel simd_in_use();
// Changes it for the process; an Error if unsupported. Not while kernels run.
void use_simd(SimdLevel level);

}  // namespace acol
