// The micro-kernel contract: the innermost block of every matrix product. This header and gemm_tile.inl are compiled
// once per SIMD level with that level's -m flags, so they include nothing that holds inline functions.
#pragma once

namespace acol {

// c (rows x columns, row stride ldc) = or += a (rows x depth) b (depth x columns).
//   b: packed, b[k * columns + j].
//   a: by rows, a[i * gemm_stride + k], or by depth, a[k * rows + i].
using GemmTile = void (*)(int depth, const float* a, const float* b, float* c, int ldc, bool accumulate);

// One tile shape: how many rows and columns of c stay in registers, and the two forms of a.
struct GemmShape {
  int rows, columns;
  GemmTile by_rows, by_depth;
};

// The shapes of a level; of those that fit a product equally well the first is the fastest.
struct GemmTiles {
  const GemmShape* shapes;
  int count;
};

// Length of a packed block of the inner dimension, and the distance of its rows: a compile-time one keeps the tile's
// addresses in one register, and one that is no power of two spreads the rows over the sets of the cache.
constexpr int gemm_depth = 256, gemm_stride = gemm_depth + 16;
constexpr int gemm_max_rows = 28, gemm_max_columns = 48;

const GemmTiles& gemm_tiles_scalar();
#if defined(ACOL_HAVE_X86_LEVELS)
const GemmTiles& gemm_tiles_avx2();
const GemmTiles& gemm_tiles_avx512();
#endif

}  // namespace acol
