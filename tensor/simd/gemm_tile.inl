// The micro-kernel, written once with GCC vector extensions. Each <level>.cpp includes it with its own vector width; the
// anonymous namespace keeps the instantiations inside that object.
#include "tensor/simd/gemm_tile.h"
#include "tensor/simd/vector.inl"

namespace acol {
namespace {

// Keeps Rows x Vectors accumulators in registers: per step of the depth, `Vectors` loads of b and `Rows` broadcasts of
// a feed Rows x Vectors multiply-adds.
template <int Lanes, int Rows, int Vectors, bool ByRows>
void gemm_tile(int depth, const float* __restrict a, long lda, const float* __restrict b, long ldb,
               float* __restrict c, long ldc, bool accumulate) {
  using V = Vector<Lanes>;
  V sum[Rows][Vectors];
#pragma GCC unroll 32
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) sum[i][v] = V{};

  // By rows: one pointer for three rows, reached as p, p + lda, p + 2 lda, so that all fit the address registers.
  constexpr int groups = ByRows ? (Rows + 2) / 3 : 1;
  const char* group[groups];
  const long step = lda * static_cast<long>(sizeof(float));
#pragma GCC unroll 32
  for (int g = 0; g < groups; ++g) group[g] = reinterpret_cast<const char*>(a + 3 * g * lda);

  for (int k = 0; k < depth; ++k) {
    V row[Vectors];
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) row[v] = load<Lanes>(b + v * Lanes);
#pragma GCC unroll 32
    for (int i = 0; i < Rows; ++i) {
      const float factor = ByRows ? *reinterpret_cast<const float*>(group[i / 3 % groups] + i % 3 * step) : a[i];
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) sum[i][v] += factor * row[v];
    }
    if constexpr (ByRows) {
#pragma GCC unroll 32
      for (int g = 0; g < groups; ++g) group[g] += sizeof(float);
    } else {
      a += lda;
    }
    b += ldb;
  }

#pragma GCC unroll 32
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) {
      float* const out = c + i * ldc + v * Lanes;
      store<Lanes>(out, accumulate ? load<Lanes>(out) + sum[i][v] : sum[i][v]);
    }
}

template <int Lanes, int Rows, int Vectors>
constexpr GemmShape shape{Rows, Lanes* Vectors, gemm_tile<Lanes, Rows, Vectors, true>,
                          gemm_tile<Lanes, Rows, Vectors, false>};

template <int... Rows>
struct RowCounts {};
template <int Last, int... Rows>
struct RowsUpTo : RowsUpTo<Last - 1, Last, Rows...> {};
template <int... Rows>
struct RowsUpTo<0, Rows...> {
  using Counts = RowCounts<Rows...>;
};

template <int Lanes, int Vectors, bool ByRows, class Counts>
struct StripTiles;
template <int Lanes, int Vectors, bool ByRows, int... Rows>
struct StripTiles<Lanes, Vectors, ByRows, RowCounts<Rows...>> {
  static constexpr GemmTile tiles[]{gemm_tile<Lanes, Rows, Vectors, ByRows>...};
};

template <int Lanes, int Rows, int Vectors>
constexpr GemmStrip strip{Rows, Lanes* Vectors, StripTiles<Lanes, Vectors, true, typename RowsUpTo<Rows>::Counts>::tiles,
                          StripTiles<Lanes, Vectors, false, typename RowsUpTo<Rows>::Counts>::tiles};

}  // namespace
}  // namespace acol
