// The micro-kernel, written once with GCC vector extensions. Each gemm_tile_<level>.cpp includes it with its own vector
// width; the anonymous namespace keeps the instantiations inside that object.
#include "tensor/simd/gemm_tile.h"

namespace acol {
namespace {

// Keeps Rows x Vectors accumulators in registers: per step of the depth, `Vectors` loads of b and `Rows` broadcasts of
// a feed Rows x Vectors multiply-adds.
template <int Lanes, int Rows, int Vectors, bool ByRows>
void gemm_tile(int depth, const float* __restrict a, const float* __restrict b, float* __restrict c, int ldc,
               bool accumulate) {
  typedef float Vector __attribute__((vector_size(Lanes * sizeof(float)), aligned(sizeof(float)), may_alias));
  Vector sum[Rows][Vectors];
#pragma GCC unroll 32
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) sum[i][v] = Vector{};

  for (int k = 0; k < depth; ++k) {
    Vector row[Vectors];
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) row[v] = *reinterpret_cast<const Vector*>(b + v * Lanes);
#pragma GCC unroll 32
    for (int i = 0; i < Rows; ++i) {
      const float factor = ByRows ? a[i * gemm_stride] : a[i];
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) sum[i][v] += factor * row[v];
    }
    a += ByRows ? 1 : Rows;
    b += Lanes * Vectors;
  }

#pragma GCC unroll 32
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) {
      Vector* out = reinterpret_cast<Vector*>(c + static_cast<long>(i) * ldc + v * Lanes);
      *out = accumulate ? *out + sum[i][v] : sum[i][v];
    }
}

template <int Lanes, int Rows, int Vectors>
constexpr GemmShape shape{Rows, Lanes* Vectors, gemm_tile<Lanes, Rows, Vectors, true>,
                          gemm_tile<Lanes, Rows, Vectors, false>};

}  // namespace
}  // namespace acol
