#include "tensor/cpu/gemm.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "tensor/cpu/parallel.h"
#include "tensor/cpu/parts.h"
#include "tensor/cpu/scratch.h"
#include "tensor/simd/kernels.h"

namespace acol {

namespace {

constexpr int tiles_in_block = 8;  // rows of A packed at once: 8 tiles, about 112 KB
constexpr int pack_b_depth = 32;
constexpr std::int64_t packed_b_floats = std::int64_t{4} << 20;  // of B packed at a time: 16 MB, for all threads

// The shape with the fewest multiply-adds of vectors, of equal ones that with the shortest rows: short vectors are for
// an n that fills no long one.
const GemmShape& best_shape(std::int64_t m, int n) {
  const auto cost = [=](const GemmShape& shape) {
    const std::int64_t rows = rounded_up(m, shape.rows), panels = parts(n, shape.columns);
    return std::pair(rows * panels * shape.vectors, rows * panels * shape.columns);
  };
  const GemmTiles& tiles = simd_kernels().gemm;
  return *std::min_element(tiles.shapes, tiles.shapes + tiles.count,
                           [&](const GemmShape& a, const GemmShape& b) { return cost(a) < cost(b); });
}

// How many columns of C one task computes: many, so that its packed A serves long, but not so many that the product
// becomes too few tasks to share out.
int columns_in_task(std::int64_t row_blocks, int n, int tile_columns) {
  constexpr int many = 512, few = 288, enough_tasks = 12;
  const bool scarce = row_blocks * parts(n, many) < enough_tasks;
  return rounded_up(scarce ? few : many, tile_columns);
}

// One tile of C, `rows` x `columns` of it wanted. A cut tile is computed whole beside C and merged.
void run_tile(const GemmShape& shape, int depth, const float* a, const float* b, float* c, int ldc, int rows,
              int columns, bool accumulate) {
  if (rows == shape.rows && columns == shape.columns) {
    shape.tile(depth, a, gemm_stride, b, shape.columns, c, ldc, accumulate);
    return;
  }
  alignas(64) float whole[gemm_max_rows * gemm_max_columns];
  shape.tile(depth, a, gemm_stride, b, shape.columns, whole, shape.columns, false);
  for (int i = 0; i < rows; ++i) {
    float* const out = c + static_cast<std::int64_t>(i) * ldc;
    const float* const in = whole + i * shape.columns;
#pragma omp simd
    for (int j = 0; j < columns; ++j) out[j] = accumulate ? out[j] + in[j] : in[j];
  }
}

// Bias and ReLU. A narrow C is treated as if several of its rows were one, for the sake of vectors.
class Finish {
 public:
  explicit Finish(const Gemm& gemm) : gemm_(gemm), bias_(static_cast<std::size_t>(gemm.n * std::max(1, 64 / gemm.n))) {
    if (gemm.bias != nullptr)
      for (std::size_t j = 0; j < bias_.size(); ++j) bias_[j] = gemm.bias[j % static_cast<std::size_t>(gemm.n)];
  }

  void run(std::int64_t row, int rows, int column, int columns) const {
    if (gemm_.bias == nullptr && !gemm_.relu) return;
    float* const c = gemm_.c + row * gemm_.n + column;
    if (columns == gemm_.n) {
      const int width = static_cast<int>(bias_.size()), count = rows * columns;
      for (int first = 0; first < count; first += width) run_row(c + first, 0, std::min(width, count - first));
    } else {
      for (int i = 0; i < rows; ++i) run_row(c + std::int64_t{i} * gemm_.n, column, columns);
    }
  }

 private:
  void run_row(float* c, int column, int count) const {
    const float* const bias = bias_.data() + column;
    const bool relu = gemm_.relu;
#pragma omp simd
    for (int j = 0; j < count; ++j) {
      const float value = c[j] + bias[j];
      c[j] = relu && value < 0 ? 0 : value;  // a NaN stays
    }
  }

  const Gemm& gemm_;
  std::vector<float> bias_;  // zeros if there is none
};

}  // namespace

void run_gemm(const Gemm& gemm) {
  const GemmShape& shape = best_shape(gemm.m, gemm.n);
  const int padded_n = rounded_up(gemm.n, shape.columns);
  const std::int64_t b_block_floats = std::int64_t{padded_n} * gemm_depth;
  const std::int64_t outer_depth = std::max<std::int64_t>(1, packed_b_floats / b_block_floats) * gemm_depth;
  const int block_rows = tiles_in_block * shape.rows;
  const std::int64_t row_blocks = (gemm.m + block_rows - 1) / block_rows;
  const int task_columns = columns_in_task(row_blocks, gemm.n, shape.columns);
  const int column_blocks = (gemm.n + task_columns - 1) / task_columns;
  const Finish finish(gemm);

  Scratch scratch_b;
  for (std::int64_t outer = 0; outer < gemm.k; outer += outer_depth) {
    const std::int64_t outer_end = std::min(gemm.k, outer + outer_depth);
    float* const packed_b = scratch_b.floats(b_block_floats * ((outer_end - outer + gemm_depth - 1) / gemm_depth));
    parallel_chunks(outer_end - outer, pack_b_depth, [&](std::int64_t begin, std::int64_t end) {
      gemm.pack_b(outer + begin, static_cast<int>(end - begin), static_cast<int>(begin % gemm_depth), shape.columns,
                  packed_b + begin / gemm_depth * b_block_floats);
    });

    parallel_chunks(row_blocks * column_blocks, 1, [&](std::int64_t task, std::int64_t) {
      const std::int64_t row = task / column_blocks * block_rows;
      const int rows = static_cast<int>(std::min<std::int64_t>(block_rows, gemm.m - row));
      const int column = static_cast<int>(task % column_blocks) * task_columns;
      const int columns = std::min(task_columns, gemm.n - column);
      Scratch scratch_a;
      float* const a = scratch_a.floats(std::int64_t{block_rows} * gemm_stride);
      float* const c = gemm.c + row * gemm.n + column;

      for (std::int64_t inner = outer; inner < outer_end; inner += gemm_depth) {
        const int depth = static_cast<int>(std::min<std::int64_t>(gemm_depth, outer_end - inner));
        const float* const b = packed_b + (inner - outer) / gemm_depth * b_block_floats;
        const bool accumulate = gemm.accumulate || inner > 0;
        gemm.pack_a(row, rows, inner, depth, shape.rows, a);
        for (int i = 0; i < rows; i += shape.rows)  // a tile of A stays in the first-level cache, B runs by
          for (int j = 0; j < columns; j += shape.columns)
            run_tile(shape, depth, a + std::int64_t{i} * gemm_stride, b + std::int64_t{column + j} * gemm_depth,
                     c + std::int64_t{i} * gemm.n + j, gemm.n, std::min(shape.rows, rows - i),
                     std::min(shape.columns, columns - j), accumulate);
      }
      if (outer_end == gemm.k) finish.run(row, rows, column, columns);
    });
  }
}

}  // namespace acol
