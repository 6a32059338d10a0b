// The matrix product under every convolution: C (m x n) = or += A (m x k) B (k x n), with A and B delivered block by
// block by the caller, so that patches of an image need never exist as a whole matrix.
#pragma once

#include <cstdint>
#include <functional>

#include "tensor/simd/gemm_tile.h"

namespace acol {

struct Gemm {
  std::int64_t m = 0;
  int n = 0;
  std::int64_t k = 0;

  // Fills a block of A: rows [row, row + rows), inner indices [inner, inner + depth), depth <= gemm_depth.
  // block[i * gemm_stride + kk].
  std::function<void(std::int64_t row, int rows, std::int64_t inner, int depth, int tile_rows, float* block)> pack_a;

  // Fills one depth block of B, all n columns: panel p of `tile_columns` columns at
  // block + p * tile_columns * gemm_depth, in it [kk * tile_columns + j]; columns past n are 0.
  // Called for inner ranges of at most `pack_b_depth` (a divisor of gemm_depth) starting at kk = inner - block start.
  std::function<void(std::int64_t inner, int depth, int kk, int tile_columns, float* block)> pack_b;
  float* c = nullptr;  // row stride n
  bool accumulate = false;
  const float* bias = nullptr;  // n numbers added to every row at the end, or null
  bool relu = false;            // then max(c, 0)
};

// Runs it on all threads. Every number of C is summed in the order of k, whatever the number of threads.
void run_gemm(const Gemm& gemm);

}  // namespace acol
