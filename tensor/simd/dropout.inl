// Dropout. Each 64-bit lane of a vector works on a counter of its own: a vector holds one word of each, in the lower
// halves of the lanes. The upper halves hold anything, since the products take the lower halves alone.
#include "tensor/simd/dropout.h"
#include "tensor/simd/vector.inl"

namespace acol {
namespace {

template <int Counters>
struct WordsOf {
  typedef unsigned long long Type __attribute__((vector_size(Counters * 8)));
  typedef long long Signed __attribute__((vector_size(Counters * 8)));
  typedef unsigned Half __attribute__((vector_size(Counters * 8)));
  typedef int SignedHalf __attribute__((vector_size(Counters * 8)));
};
template <int Counters>
using Words = typename WordsOf<Counters>::Type;

// The 64-bit products of the lower halves with factor.
template <int Counters>
ACOL_INLINE Words<Counters> multiply(Words<Counters> words, unsigned factor) {
  const Words<Counters> factors = Words<Counters>{} + factor;
  // One instruction, for which GCC 12 writes three products and two sums.
#if defined(__SSE2__) && !defined(__clang__)
  using Types = WordsOf<Counters>;
  const auto a = (typename Types::SignedHalf)words, b = (typename Types::SignedHalf)factors;
  if constexpr (Counters == 2) return (Words<2>)__builtin_ia32_pmuludq128(a, b);
#if defined(__AVX2__)
  if constexpr (Counters == 4) return (Words<4>)__builtin_ia32_pmuludq256(a, b);
#endif
#if defined(__AVX512F__)
  if constexpr (Counters == 8) return (Words<8>)__builtin_ia32_pmuludq512_mask(a, b, typename Types::Signed{}, -1);
#endif
#else
  return (words & 0xFFFFFFFFull) * factors;
#endif
}

// a[0] b[0] a[1] b[1] ..., cut in two.
template <class W>
ACOL_INLINE void interleave(W a, W b, W (&out)[2]) {
  if constexpr (sizeof(W) == 16) {
    out[0] = __builtin_shufflevector(a, b, 0, 2);
    out[1] = __builtin_shufflevector(a, b, 1, 3);
  } else if constexpr (sizeof(W) == 32) {
    out[0] = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    out[1] = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  } else {
    out[0] = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    out[1] = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  }
}

// The uniform numbers of the next 2 x Lanes elements, those of Lanes / 2 counters.
template <int Lanes>
ACOL_INLINE void draw(const DropoutDraws& draws, Words<Lanes / 2> counter, Vector<Lanes> (&uniform)[2]) {
  constexpr int counters = Lanes / 2;
  using W = Words<counters>;
  W word0 = counter, word1 = W{} + draws.purpose, word2 = W{} + draws.step, word3 = W{} + draws.layer;
  unsigned key0 = static_cast<unsigned>(draws.seed), key1 = static_cast<unsigned>(draws.seed >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const W product0 = multiply<counters>(word0, 0xD2511F53u), product1 = multiply<counters>(word2, 0xCD9E8D57u);
    word0 = (product1 >> 32) ^ word1 ^ (W{} + key0);
    word1 = product1;
    word2 = (product0 >> 32) ^ word3 ^ (W{} + key1);
    word3 = product0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  // Words 0 and 1 share a lane, and so do words 2 and 3: put the lanes in turn, and all words are in order.
  W ordered[2];
  interleave((word0 & 0xFFFFFFFFull) | word1 << 32, (word2 & 0xFFFFFFFFull) | word3 << 32, ordered);
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const auto upper = (typename WordsOf<counters>::SignedHalf)((typename WordsOf<counters>::Half)ordered[i] >> 8);
    uniform[i] = __builtin_convertvector(upper, Vector<Lanes>) * 0x1p-24f;
  }
}

template <int L>
ACOL_INLINE void drop(Vector<L> uniform, float rate, const float* x, float* y, bool accumulate) {
  const Vector<L> kept = uniform >= rate ? load<L>(x) / (1 - rate) : Vector<L>{};
  store<L>(y, accumulate ? load<L>(y) + kept : kept);
}

template <int Lanes>
void dropout(const DropoutDraws& draws, long count, const float* x, float* y, bool accumulate) {
  constexpr int step = 2 * Lanes;
  Words<Lanes / 2> counter = {};
  for (int i = 0; i < Lanes / 2; ++i) counter[i] = draws.counter + static_cast<unsigned>(i);
  for (long i = 0; i < count; i += step, counter += Lanes / 2) {
    Vector<Lanes> uniform[2];
    draw<Lanes>(draws, counter, uniform);
    if (i + step <= count) {
      drop<Lanes>(uniform[0], draws.rate, x + i, y + i, accumulate);
      drop<Lanes>(uniform[1], draws.rate, x + i + Lanes, y + i + Lanes, accumulate);
    } else {
      float numbers[step];
      store<Lanes>(numbers, uniform[0]);
      store<Lanes>(numbers + Lanes, uniform[1]);
      for (long j = i; j < count; ++j) drop<1>(load<1>(numbers + (j - i)), draws.rate, x + j, y + j, accumulate);
    }
  }
}

}  // namespace
}  // namespace acol
