// The micro-kernel, written once with GCC vector extensions. Each <level>.cpp includes it with its own vector width;
// the anonymous namespace keeps the instantiations inside that object.
#include "tensor/simd/gemm_tile.h"
#include "tensor/simd/vector.inl"

namespace acol {
namespace {

// Keeps Rows x Vectors accumulators in registers: per step of the depth, `Vectors` loads of b and `Rows` broadcasts of
// a feed Rows x Vectors multiply-adds.
template <int Lanes, int Rows, int Vectors>
struct Accumulators {
  Vector<Lanes> sum[Rows][Vectors];

  ACOL_INLINE Accumulators() {
#pragma GCC unroll 32
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) sum[i][v] = Vector<Lanes>{};
  }

  // a_of(i): the number of row i; b_of(v): where vector v of b is.
  template <class RowOf, class VectorAt>
  ACOL_INLINE void add(const RowOf& a_of, const VectorAt& b_of) {
    Vector<Lanes> row[Vectors];
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) row[v] = load<Lanes>(b_of(v));
#pragma GCC unroll 32
    for (int i = 0; i < Rows; ++i) {
      const float factor = a_of(i);
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) sum[i][v] += factor * row[v];
    }
  }

  ACOL_INLINE void write(float* c, long ldc, bool accumulate) const {
#pragma GCC unroll 32
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) {
        float* const out = c + i * ldc + v * Lanes;
        store<Lanes>(out, accumulate ? load<Lanes>(out) + sum[i][v] : sum[i][v]);
      }
  }
};

// sums += a b, a[i * lda + k], b[k * ldb + j].
template <int Lanes, int Rows, int Vectors>
ACOL_INLINE void add_rows(Accumulators<Lanes, Rows, Vectors>& sums, int depth, const float* __restrict a, long lda,
                          const float* __restrict b, long ldb) {
  // One pointer for three rows, reached as p, p + lda, p + 2 lda, so that all fit the address registers.
  constexpr int groups = (Rows + 2) / 3;
  const char* group[groups];
  const long step = lda * static_cast<long>(sizeof(float));
#pragma GCC unroll 32
  for (int g = 0; g < groups; ++g) group[g] = reinterpret_cast<const char*>(a + 3 * g * lda);
  for (int k = 0; k < depth; ++k, b += ldb) {
    sums.add([&](int i) ACOL_ALWAYS { return *reinterpret_cast<const float*>(group[i / 3] + i % 3 * step); },
             [=](int v) ACOL_ALWAYS { return b + v * Lanes; });
#pragma GCC unroll 32
    for (int g = 0; g < groups; ++g) group[g] += sizeof(float);
  }
}

template <int Lanes, int Rows, int Vectors>
void tile_by_rows(int depth, const float* __restrict a, long lda, const float* __restrict b, long ldb,
                  float* __restrict c, long ldc, bool accumulate) {
  Accumulators<Lanes, Rows, Vectors> sums;
  add_rows(sums, depth, a, lda, b, ldb);
  sums.write(c, ldc, accumulate);
}

// Asks for a tile of c, so that it is there when the sums are. Not unrolled: its addresses would cost registers.
template <int Rows, int Columns>
ACOL_INLINE void prefetch_tile(const float* c, long ldc) {
#pragma GCC unroll 1
  for (int i = 0; i < Rows; ++i, c += ldc) {
    __builtin_prefetch(c, 1);
    if (Columns > 16) __builtin_prefetch(c + 16, 1);
  }
}

template <int Lanes, int Rows, int Vectors>
void tile_by_channels(int depth, const float* __restrict a, long lda, const float* __restrict b, long,
                      float* __restrict c, long ldc, bool accumulate) {
  // The rounding error of a sum grows with its length: longer ones are put together in c from parts.
  constexpr int longest_sum = 64;
  prefetch_tile<Rows, Lanes * Vectors>(c, ldc);
  for (int part = 0; part < depth; part += longest_sum) {
    const int end = depth - part < longest_sum ? depth : part + longest_sum;
    Accumulators<Lanes, Rows, Vectors> sums;
    for (int first = part; first < end; first += gemm_block, a += Rows * gemm_block) {
      if (lda != 0) {
#pragma GCC unroll 1
        for (int i = 0; i < Rows; ++i) __builtin_prefetch(a + lda + i * gemm_block, 0, 2);
      }
      const int steps = end - first < gemm_block ? end - first : gemm_block;
      for (int k = 0; k < steps; ++k, b += Vectors * Lanes)
        sums.add([=](int i) ACOL_ALWAYS { return a[i * gemm_block + k]; },
                 [=](int v) ACOL_ALWAYS { return b + v * Lanes; });
    }
    sums.write(c, ldc, accumulate || part > 0);
  }
}

template <int Lanes, int Rows, int Vectors>
void tile_by_tiles(int depth, const float* __restrict a, long, const float* __restrict b, long ldb, float* __restrict c,
                   long ldc, bool accumulate) {
  static_assert(gemm_block % Rows == 0 && gemm_block % Lanes == 0);
  prefetch_tile<Rows, Lanes * Vectors>(c, ldc);
  Accumulators<Lanes, Rows, Vectors> sums;
  for (int k = 0; k < depth; ++k, a += gemm_block, b += gemm_block)
    sums.add([=](int i) ACOL_ALWAYS { return a[i]; },
             [=](int v) ACOL_ALWAYS { return b + v * Lanes / gemm_block * ldb + v * Lanes % gemm_block; });
  sums.write(c, ldc, accumulate);
}

// No loads, no stores: 12 chains of multiply-adds, more than any core has under way at once.
template <int Lanes>
void multiply_adds(long steps, float* numbers) {
  constexpr int chains = 12;
  const Vector<Lanes> factor = Vector<Lanes>{} + numbers[0], term = Vector<Lanes>{} + numbers[1];
  Vector<Lanes> value[chains];
#pragma GCC unroll 12
  for (int i = 0; i < chains; ++i) value[i] = term + static_cast<float>(i);
  for (long step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) value[i] = value[i] * factor + term;
  }
  float sum = 0;
#pragma GCC unroll 12
  for (int i = 0; i < chains; ++i) sum += value[i][0];
  numbers[0] = sum;
}

template <int Lanes>
constexpr PeakLoop peak_loop{12 * Lanes, multiply_adds<Lanes>};

template <int Lanes, int Rows, int Vectors>
constexpr GemmShape shape{Rows, Lanes* Vectors, Vectors, tile_by_rows<Lanes, Rows, Vectors>};

template <int... Rows>
struct RowCounts {};
template <int Last, int... Rows>
struct RowsUpTo : RowsUpTo<Last - 1, Last, Rows...> {};
template <int... Rows>
struct RowsUpTo<0, Rows...> {
  using Counts = RowCounts<Rows...>;
};

template <int Lanes, int Vectors, class Counts>
struct StripTiles;
template <int Lanes, int Vectors, int... Rows>
struct StripTiles<Lanes, Vectors, RowCounts<Rows...>> {
  static constexpr GemmTile tiles[]{tile_by_channels<Lanes, Rows, Vectors>...};
};

// Up to Rows rows for sums over channels, TileRows for sums over tiles.
template <int Lanes, int Vectors, int Rows, int TileRows>
constexpr GemmStrip strip{Lanes * Vectors, Rows, StripTiles<Lanes, Vectors, typename RowsUpTo<Rows>::Counts>::tiles,
                          TileRows, tile_by_tiles<Lanes, TileRows, Vectors>};

}  // namespace
}  // namespace acol
