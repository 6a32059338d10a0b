// Numbers as weight files store them: their types, named as safetensors does, and the values of the floating-point
// ones. Those of all but float64 are float32 exactly.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tensor/shape.h"

namespace acol {

// Bytes of a number of such a type ("F32", "I64", ...); 0 if there is no such type.
inline int bytes_of_dtype(const std::string& dtype) {
  struct Type {
    const char* name;
    int bytes;
  };
  static constexpr Type types[] = {{"F32", 4}, {"F64", 8}, {"F16", 2},     {"BF16", 2},    {"I64", 8},
                                   {"I32", 4}, {"I16", 2}, {"I8", 1},      {"U64", 8},     {"U32", 4},
                                   {"U16", 2}, {"U8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"BOOL", 1}};
  for (const Type& type : types)
    if (dtype == type.name) return type.bytes;
  return 0;
}

// Whether numbers of a type are read: floating point of 16 bits or more.
inline bool is_read(const std::string& dtype) {
  return dtype == "F32" || dtype == "F64" || dtype == "F16" || dtype == "BF16";
}

// Whether a tensor in a file has a Shape: at most four extents, and each fits an int.
template <class Extent>
bool has_shape(const std::vector<Extent>& extents) {
  return extents.size() <= 4 && std::all_of(extents.begin(), extents.end(), [](Extent extent) {
           return extent <= static_cast<Extent>(std::numeric_limits<int>::max());
         });
}

// The Shape, if it has one. A scalar becomes (1).
template <class Extent>
Shape shape_of(const std::vector<Extent>& extents) {
  const auto extent = [&](std::size_t axis) { return static_cast<int>(extents[axis]); };
  switch (extents.size()) {
    case 0:
      return {1};
    case 1:
      return {extent(0)};
    case 2:
      return {extent(0), extent(1)};
    case 3:
      return {extent(0), extent(1), extent(2)};
    default:
      return {extent(0), extent(1), extent(2), extent(3)};
  }
}

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
