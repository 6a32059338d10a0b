#include "tensor/cpu/gemm.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "tensor/cpu/parallel.h"
#include "tensor/simd/level.h"

namespace acol {

namespace {

constexpr std::int64_t packed_b_floats = std::int64_t{4} << 20;  // 16 MB of B at a time
constexpr int tiles_in_block = 8;                                // rows of A packed at once: 8 tiles, about 112 KB
constexpr int columns_in_block = 512;
constexpr int pack_b_depth = 32;

// Scratch memory of one thread that grows to the largest size asked for and stays.
class Scratch {
 public:
  float* floats(std::int64_t count) {
    if (count > capacity_) {
      memory_.reset(static_cast<float*>(::operator new(static_cast<std::size_t>(count) * sizeof(float), alignment)));
      capacity_ = count;
    }
    return memory_.get();
  }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Release {
    void operator()(float* memory) const { ::operator delete(memory, alignment); }
  };
  std::unique_ptr<float, Release> memory_;
  std::int64_t capacity_ = 0;
};

thread_local Scratch scratch_a, scratch_b;

const GemmTiles& tiles_in_use() {
#if defined(ACOL_HAVE_X86_LEVELS)
  if (simd_in_use() == SimdLevel::avx512) return gemm_tiles_avx512();
  if (simd_in_use() == SimdLevel::avx2) return gemm_tiles_avx2();
#endif
  return gemm_tiles_scalar();
}

std::int64_t rounded_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step * step; }

// The shape that computes the fewest numbers nobody asked for.
const GemmShape& best_shape(std::int64_t m, int n) {
  const GemmTiles& tiles = tiles_in_use();
  const auto computed = [&](const GemmShape& shape) {
    return rounded_up(m, shape.rows) * rounded_up(n, shape.columns);
  };
  return computed(tiles.narrow) < computed(tiles.wide) ? tiles.narrow : tiles.wide;
}

// One tile of C, `rows` x `columns` of it wanted. A cut tile is computed whole beside C and merged.
void run_tile(const GemmShape& shape, GemmTile tile, int depth, const float* a, const float* b, float* c, int ldc,
              int rows, int columns, bool accumulate) {
  if (rows == shape.rows && columns == shape.columns) {
    tile(depth, a, b, c, ldc, accumulate);
    return;
  }
  alignas(64) float whole[gemm_max_rows * gemm_max_columns];
  tile(depth, a, b, whole, shape.columns, false);
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < columns; ++j) {
      float& out = c[static_cast<std::int64_t>(i) * ldc + j];
      out = accumulate ? out + whole[i * shape.columns + j] : whole[i * shape.columns + j];
    }
}

void finish_row(const Gemm& gemm, float* row, int column, int columns) {
  if (gemm.bias != nullptr)
    for (int j = 0; j < columns; ++j) row[j] += gemm.bias[column + j];
  if (gemm.relu)
    for (int j = 0; j < columns; ++j) row[j] = row[j] < 0 ? 0 : row[j];  // a NaN stays
}

}  // namespace

void run_gemm(const Gemm& gemm) {
  const GemmShape& shape = best_shape(gemm.m, gemm.n);
  const GemmTile tile = gemm.packed_a == PackedA::by_rows ? shape.by_rows : shape.by_depth;
  const int padded_n = static_cast<int>(rounded_up(gemm.n, shape.columns));
  const std::int64_t outer_depth = std::max<std::int64_t>(1, packed_b_floats / (std::int64_t{padded_n} * gemm_depth)) * gemm_depth;
  const int block_rows = tiles_in_block * shape.rows;
  const std::int64_t row_blocks = (gemm.m + block_rows - 1) / block_rows;
  const int column_blocks = (gemm.n + columns_in_block - 1) / columns_in_block;
  const std::int64_t b_block_floats = std::int64_t{padded_n} * gemm_depth;

  for (std::int64_t outer = 0; outer < gemm.k; outer += outer_depth) {
    const std::int64_t outer_end = std::min(gemm.k, outer + outer_depth);
    float* const packed_b = scratch_b.floats(b_block_floats * ((outer_end - outer + gemm_depth - 1) / gemm_depth));
    parallel_chunks(outer_end - outer, pack_b_depth, [&](std::int64_t begin, std::int64_t end) {
      // A single chunk may be longer than pack_b_depth when there is only one: keep to the blocks all the same.
      for (std::int64_t inner = begin; inner < end; inner += pack_b_depth) {
        const int depth = static_cast<int>(std::min<std::int64_t>(pack_b_depth, end - inner));
        gemm.pack_b(outer + inner, depth, static_cast<int>(inner % gemm_depth), shape.columns,
                    packed_b + inner / gemm_depth * b_block_floats);
      }
    });

    parallel_chunks(row_blocks * column_blocks, 1, [&](std::int64_t task, std::int64_t) {
      const std::int64_t row = task / column_blocks * block_rows;
      const int rows = static_cast<int>(std::min<std::int64_t>(block_rows, gemm.m - row));
      const int column = static_cast<int>(task % column_blocks) * columns_in_block;
      const int columns = std::min(columns_in_block, gemm.n - column);
      float* const a = scratch_a.floats(std::int64_t{block_rows} * gemm_depth);
      float* const c = gemm.c + row * gemm.n + column;

      for (std::int64_t inner = outer; inner < outer_end; inner += gemm_depth) {
        const int depth = static_cast<int>(std::min<std::int64_t>(gemm_depth, outer_end - inner));
        gemm.pack_a(row, rows, inner, depth, shape.rows, a);
        const float* const b = packed_b + (inner - outer) / gemm_depth * b_block_floats;
        const bool accumulate = gemm.accumulate || inner > 0;
        for (int j = 0; j < columns; j += shape.columns)
          for (int i = 0; i < rows; i += shape.rows)
            run_tile(shape, tile, depth, a + std::int64_t{i} * gemm_depth, b + std::int64_t{column + j} * gemm_depth,
                     c + std::int64_t{i} * gemm.n + j, gemm.n, std::min(shape.rows, rows - i),
                     std::min(shape.columns, columns - j), accumulate);
      }
      if (outer_end == gemm.k && (gemm.bias != nullptr || gemm.relu))
        for (int i = 0; i < rows; ++i) finish_row(gemm, c + std::int64_t{i} * gemm.n, column, columns);
    });
  }
}

}  // namespace acol
