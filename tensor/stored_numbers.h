// Floating-point numbers as weight files store them. The values of all but float64 are float32 exactly.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

namespace acol {

struct Bfloat16 {
  std::uint16_t bits;
};
struct Float16 {
  std::uint16_t bits;
};

template <class T>
T widened(T value) {
  return value;
}

// bfloat16 is the upper half of a float32.
inline float widened(Bfloat16 value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16); }

// IEEE half: 1 sign, 5 exponent (bias 15), 10 fraction bits -> 1, 8 (bias 127), 23.
inline float widened(Float16 value) {
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 31u, fraction = value.bits & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);  // infinity, NaN
  if (exponent == 0) {  // zero, subnormal: fraction 2^-24
    const float small = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -small : small;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

// Runs `body.template operator()<Stored>()` with the type of the numbers in the file: F64, F16, BF16, else float.
template <class Body>
void with_stored(const std::string& dtype, const Body& body) {
  if (dtype == "F64") return body.template operator()<double>();
  if (dtype == "F16") return body.template operator()<Float16>();
  if (dtype == "BF16") return body.template operator()<Bfloat16>();
  body.template operator()<float>();
}

}  // namespace acol
