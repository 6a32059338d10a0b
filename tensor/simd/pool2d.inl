// The channels of a pixel side by side in registers, while a loop goes over the pixels of a rectangle.
#include "tensor/simd/pool2d.h"
#include "tensor/simd/vector.inl"

namespace acol {
namespace {

template <int Lanes>
struct IntegersOf {
  typedef int Type __attribute__((vector_size(Lanes * sizeof(int))));
  typedef short Short __attribute__((vector_size(Lanes * sizeof(short))));
  typedef unsigned char Byte __attribute__((vector_size(Lanes), aligned(1), may_alias));
};
template <int Lanes>
using Integers = typename IntegersOf<Lanes>::Type;

template <int Lanes>
ACOL_INLINE Integers<Lanes> load_bytes(const unsigned char* from) {
  // GCC 12 takes the general form apart, byte by byte.
#if defined(__AVX512F__) && !defined(__clang__)
  typedef char Sixteen __attribute__((vector_size(16), aligned(1), may_alias));
  if constexpr (Lanes == 16)
    return __builtin_ia32_pmovzxbd512_mask(*reinterpret_cast<const Sixteen*>(from), Integers<16>{}, -1);
#elif defined(__AVX2__) && !defined(__clang__)
  if constexpr (Lanes == 8) {
    typedef long long Two __attribute__((vector_size(16)));
    typedef char Sixteen __attribute__((vector_size(16)));
    typedef long long Eight __attribute__((aligned(1), may_alias));
    return __builtin_ia32_pmovzxbd256(reinterpret_cast<Sixteen>(Two{*reinterpret_cast<const Eight*>(from), 0}));
  }
#endif
  return __builtin_convertvector(*reinterpret_cast<const typename IntegersOf<Lanes>::Byte*>(from), Integers<Lanes>);
}

// Numbers in [0, 255].
template <int Lanes>
ACOL_INLINE void store_bytes(unsigned char* to, Integers<Lanes> value) {
  using Types = IntegersOf<Lanes>;
  // `auto` would forget the alignment.
  typename Types::Byte* const out = reinterpret_cast<typename Types::Byte*>(to);
  if constexpr (Lanes == 16)  // one instruction
    *out = __builtin_convertvector(value, typename Types::Byte);
  else
    *out = __builtin_convertvector(__builtin_convertvector(value, typename Types::Short), typename Types::Byte);
}

// body.run<L, V>(c): V vectors of L lanes, from channel c on. Four vectors hide each other's latency.
template <int Lanes, class Body>
ACOL_INLINE void for_each_block(int channels, const Body& body) {
  int c = 0;
  for (; c + 4 * Lanes <= channels; c += 4 * Lanes) body.template operator()<Lanes, 4>(c);
  for (; c + Lanes <= channels; c += Lanes) body.template operator()<Lanes, 1>(c);
  if constexpr (Lanes > 4)
    for (; c + 4 <= channels; c += 4) body.template operator()<4, 1>(c);
  for (; c < channels; ++c) body.template operator()<1, 1>(c);
}

// body(offset, taps) for every pixel, in raster order. Its tap is counted in all lanes at once, which costs less than
// to spread it over them.
template <int L, class Body>
ACOL_INLINE void for_each_pixel(const PixelRectangle& pixels, const Body& body) {
  long row = 0;
  Integers<L> row_taps = Integers<L>{} + pixels.tap;
  for (int i = 0; i < pixels.rows; ++i, row += pixels.row_step, row_taps += pixels.tap_row_step) {
    long offset = row;
    Integers<L> taps = row_taps;
    for (int j = 0; j < pixels.columns; ++j, offset += pixels.column_step, taps += pixels.tap_column_step)
      body(offset, taps);
  }
}

template <int Lanes>
void largest(const PixelRectangle& pixels, const float* x, int channels, float* y, unsigned char* winner) {
  for_each_block<Lanes>(channels, [&]<int L, int V>(int c) ACOL_ALWAYS {
    Vector<L> best[V];
    Integers<L> won[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) best[v] = load<L>(x + c + v * L), won[v] = Integers<L>{} + pixels.tap;
    for_each_pixel<L>(pixels, [&](long offset, Integers<L> taps) ACOL_ALWAYS {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const Vector<L> value = load<L>(x + offset + c + v * L);
        // Nothing takes the place of a NaN, and a NaN that of every number.
        const Integers<L> stays = (best[v] != best[v]) | (value <= best[v]);
        best[v] = stays ? best[v] : value;
        won[v] = stays ? won[v] : taps;
      }
    });
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      store<L>(y + c + v * L, best[v]);
      store_bytes<L>(winner + c + v * L, won[v]);
    }
  });
}

// y[c] becomes finish(start(c) + value(offset + c, taps) + ...).
template <int Lanes, class Start, class Value, class Finish>
ACOL_INLINE void sum_pixels(const PixelRectangle& pixels, int channels, float* y, const Start& start,
                            const Value& value, const Finish& finish) {
  for_each_block<Lanes>(channels, [&]<int L, int V>(int c) ACOL_ALWAYS {
    Vector<L> sum[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) sum[v] = start.template operator()<L>(c + v * L);
    for_each_pixel<L>(pixels, [&](long offset, Integers<L> taps) ACOL_ALWAYS {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[v] += value.template operator()<L>(offset + c + v * L, taps);
    });
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store<L>(y + c + v * L, finish(sum[v]));
  });
}

template <int Lanes>
void add_won(const PixelRectangle& pixels, const float* dy, const unsigned char* winner, int channels, float* dx) {
  sum_pixels<Lanes>(
      pixels, channels, dx, [=]<int L>(int c) ACOL_ALWAYS { return load<L>(dx + c); },
      [=]<int L>(long i, Integers<L> taps)
          ACOL_ALWAYS { return load_bytes<L>(winner + i) == taps ? load<L>(dy + i) : Vector<L>{}; },
      [](auto sum) ACOL_ALWAYS { return sum; });
}

template <int Lanes>
void average(const PixelRectangle& pixels, const float* x, int channels, float size, float* y) {
  sum_pixels<Lanes>(
      pixels, channels, y, []<int L>(int) ACOL_ALWAYS { return Vector<L>{}; },
      [=]<int L>(long i, Integers<L>) ACOL_ALWAYS { return load<L>(x + i); },
      [=](auto sum) ACOL_ALWAYS { return sum / size; });
}

template <int Lanes>
void add(const PixelRectangle& pixels, const float* x, int channels, float* y) {
  sum_pixels<Lanes>(
      pixels, channels, y, [=]<int L>(int c) ACOL_ALWAYS { return load<L>(y + c); },
      [=]<int L>(long i, Integers<L>) ACOL_ALWAYS { return load<L>(x + i); }, [](auto sum) ACOL_ALWAYS { return sum; });
}

template <int Lanes>
constexpr PoolKernels pool_kernels{largest<Lanes>, add_won<Lanes>, average<Lanes>, add<Lanes>};

}  // namespace
}  // namespace acol
