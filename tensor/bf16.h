// bf16: the upper half of a float, which is its sign, its exponent and 7 of its 23 bits behind the point. The same
// range as float with 8 significant bits, so that one rounding errs by 1/512 at most. A type of numbers in memory:
// arithmetic is float's.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

// The same functions on the host and, where nvcc reads this, on a card.
#ifdef __CUDACC__
#define ACOL_HOST_DEVICE __host__ __device__
#else
#define ACOL_HOST_DEVICE
#endif

namespace acol {

struct Bf16 {
  std::uint16_t bits;

  Bf16() = default;
  // To the nearest, a tie to the even one; a NaN stays one.
  ACOL_HOST_DEVICE Bf16(float x) : bits(rounded(bits_of(x))) {}
  ACOL_HOST_DEVICE operator float() const {
    const std::uint32_t word = static_cast<std::uint32_t>(bits) << 16;
#ifdef __CUDA_ARCH__
    return __uint_as_float(word);
#else
    return std::bit_cast<float>(word);
#endif
  }

 private:
  ACOL_HOST_DEVICE static std::uint32_t bits_of(float x) {
#ifdef __CUDA_ARCH__
    return __float_as_uint(x);
#else
    return std::bit_cast<std::uint32_t>(x);
#endif
  }
  ACOL_HOST_DEVICE static std::uint16_t rounded(std::uint32_t word) {
    if ((word & 0x7fffffffU) > 0x7f800000U) return 0x7fff;
    return static_cast<std::uint16_t>((word + 0x7fffU + (word >> 16 & 1U)) >> 16);
  }
};

// The type of weights, of their gradients, of statistics and of losses beside activations of type T: those are small,
// and small changes must not get lost in them.
template <class T>
using ParameterOf = std::conditional_t<std::is_same_v<T, Bf16>, float, T>;

}  // namespace acol
