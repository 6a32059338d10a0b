// The micro-kernel contract: the innermost block of every matrix product. This header and the .inl files are compiled
// once per SIMD level with that level's -m flags, so they include nothing that holds inline functions.
#pragma once

namespace acol {

// c (rows x columns, row stride ldc) = or += a (rows x depth) b (depth x columns).
// a[i * lda + k], b[k * ldb + j].
using GemmTile = void (*)(int depth, const float* a, long lda, const float* b, long ldb, float* c, long ldc,
                          bool accumulate);

// One tile shape: how many rows and columns of c stay in registers.
struct GemmShape {
  int rows, columns;
  int vectors;  // that the columns are
  GemmTile tile;
};

// Winograd's products have their operands laid out for them, in blocks of 16 numbers.
constexpr int gemm_block = 16;
struct GemmStrip {
  int columns;

  // Sums over channels. a: blocks of the depth, a[(k / 16 * rows + i) * 16 + k % 16]; b[k * columns + j]; ldb is not
  // used. If lda is not 0, the next call's a is at a + lda, and is fetched into the cache meanwhile. For every number
  // of rows from 1 to `rows`: entry i has i + 1 rows.
  int rows;
  const GemmTile* by_channels;

  // Sums over tiles. a: a part of a block of rows, a[k * 16 + i]; b: blocks of the columns,
  // b[j / 16 * ldb + k * 16 + j % 16]; lda is not used. A divisor of 16 rows.
  int tile_rows;
  GemmTile by_tiles;
};

struct GemmTiles {
  // Of those that need equally many multiply-adds of vectors the first is the fastest.
  const GemmShape* shapes;
  int count;
  // For products whose number of rows the caller does not choose; narrow: for few columns.
  GemmStrip wide, narrow;
};

// Length of a packed block of the inner dimension, and the distance of its rows: one that is no power of two spreads
// the rows over the sets of the cache.
constexpr int gemm_depth = 256, gemm_stride = gemm_depth + 16;
constexpr int gemm_max_rows = 28, gemm_max_columns = 48;

// What no product can exceed: `steps` times `multiply_adds` multiply-adds of registers with registers. numbers: 2,
// |numbers[0]| < 1 so that nothing overflows; a sum comes back in the first, so that the work is not left out.
struct PeakLoop {
  int multiply_adds;
  void (*run)(long steps, float* numbers);
};

}  // namespace acol
