// Each 64-bit lane works on a counter of its own: one word of it a vector, in the lower half of the lane. What stands in
// the upper half does not matter, since the products take the lower half alone.
#include "tensor/simd/dropout.h"
#include "tensor/simd/vector.inl"

namespace acol {
namespace {

template <int Counters>
struct WordsOf {
  typedef unsigned long long Type __attribute__((vector_size(Counters * 8)));
  typedef int Numbers __attribute__((vector_size(Counters * 8)));
};
template <int Counters>
using Words = typename WordsOf<Counters>::Type;

// The 64-bit product of each lane's lower half with factor.
template <int Counters>
ACOL_INLINE Words<Counters> product(Words<Counters> word, unsigned factor) {
  const Words<Counters> factors = Words<Counters>{} + factor;
  // GCC 12 makes three products of the general form.
#if defined(__SSE2__) && !defined(__clang__)
  using Numbers = typename WordsOf<Counters>::Numbers;
  const auto a = reinterpret_cast<Numbers>(word), b = reinterpret_cast<Numbers>(factors);
#if defined(__AVX512F__)
  if constexpr (Counters == 8)
    return reinterpret_cast<Words<8>>(__builtin_ia32_pmuludq512_mask(a, b, typename LongsOf<8>::Type{}, -1));
#endif
#endif
  return (word & 0xFFFFFFFFull) * factors;
}

}  // namespace
}  // namespace acol
