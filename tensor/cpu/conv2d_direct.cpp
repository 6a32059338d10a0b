// Convolution as a matrix product over patches ("implicit GEMM"): patches are copied block by block into packed A or B,
// so the patch matrix never exists as a whole.
//   forward:           y (pixels x O)       = patches(x) (pixels x RSC)   W^T (RSC x O)
//   backward data:     dx (pixels x C)     += patches(dy) (pixels x RSO)  W' (RSO x C), taps from the last to the first
//   backward weights:  dw (O x RSC)        += dy^T (O x pixels)           patches(x) (pixels x RSC)
#include <algorithm>
#include <cstring>

#include "tensor/cpu/conv2d_methods.h"
#include "tensor/cpu/gemm.h"
#include "tensor/cpu/kernels.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/parts.h"
#include "tensor/cpu/patches.h"
#include "tensor/cpu/scratch.h"
#include "tensor/simd/kernels.h"

namespace acol::cpu::direct {

namespace {

auto patch_rows_as_a(const Patches& patches) {
  return [patches](std::int64_t row, int rows, std::int64_t inner, int depth, int tile_rows, float* block) {
    patches.copy(row, rows, static_cast<int>(inner), depth, block, gemm_stride);
    // Rows that only fill up the last tile: zeros, so that no stale NaN slows the tile down.
    const int whole = (rows + tile_rows - 1) / tile_rows * tile_rows;
    for (int i = rows; i < whole; ++i)
      std::memset(block + std::int64_t{i} * gemm_stride, 0, static_cast<std::size_t>(depth) * sizeof(float));
  };
}

// Where column j of depth kk goes in a packed block of B.
float* packed_b_at(float* block, int kk, int column, int tile_columns) {
  return block + (std::int64_t{column / tile_columns} * gemm_depth + kk) * tile_columns + column % tile_columns;
}

// Writes one row of B, n numbers, zeros behind.
void scatter_row(const float* row, int n, int kk, int tile_columns, float* block) {
  for (int column = 0; column < n; column += tile_columns) {
    float* const out = packed_b_at(block, kk, column, tile_columns);
    const int count = std::min(tile_columns, n - column);
    std::memcpy(out, row + column, static_cast<std::size_t>(count) * sizeof(float));
    std::fill(out + count, out + tile_columns, 0.0f);
  }
}

inline void copy_where_positive(const float* in, const float* sign, std::int64_t count, float* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float number = in[i];
    out[i] = sign[i] > 0 ? number : 0;
  }
}

// The gradient of the filters, dw = dy^T (O x pixels) patches(x) (pixels x RSC), a block of outputs and columns and a
// slice of the pixels at a time.
class WeightGradient {
 public:
  WeightGradient(const Conv2dGeometry& g, const float* dy, const float* relu_y, const float* x)
      : g_(g),
        dy_(dy),
        relu_y_(relu_y),
        patches_(forward_patches(g, x)),
        pixels_(std::int64_t{g.batch} * g.out_h() * g.out_w()),
        columns_(patches_.row_length()),
        strip_(columns_ <= simd_kernels().gemm.narrow.columns ? simd_kernels().gemm.narrow : simd_kernels().gemm.wide) {
    // Slices, where there are few blocks, so that all threads have work; they depend on the shape alone.
    const std::int64_t blocks = parts(g.out_c, block_outputs) * parts(columns_, block_columns);
    slices_ = std::clamp<std::int64_t>(enough_tasks / blocks, 1, parts(pixels_, 4 * gemm_depth));
  }

  // dw += the gradient.
  void run(float* dw) const {
    Scratch scratch;
    const std::int64_t count = g_.w_shape().count(), length = parts(pixels_, slices_);
    const std::int64_t output_blocks = parts(g_.out_c, block_outputs), column_blocks = parts(columns_, block_columns);
    float* const sums = scratch.floats(slices_ * count);
    parallel_chunks(slices_ * output_blocks * column_blocks, 1, [&](std::int64_t task, std::int64_t) {
      const int column = static_cast<int>(task % column_blocks) * block_columns;
      const int output = static_cast<int>(task / column_blocks % output_blocks) * block_outputs;
      const std::int64_t slice = task / column_blocks / output_blocks, first = std::min(pixels_, slice * length);
      run_task(first, std::min(pixels_, first + length), output, std::min(block_outputs, g_.out_c - output), column,
               std::min(block_columns, columns_ - column), sums + slice * count);
    });
    parallel_chunks(count, std::max<std::int64_t>(1, elementwise_grain / slices_),
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t slice = 0; slice < slices_; ++slice) {
                        const float* const in = sums + slice * count;
#pragma omp simd
                        for (std::int64_t i = begin; i < end; ++i) dw[i] += in[i];
                      }
                    });
  }

 private:
  static constexpr int block_outputs = 256, block_columns = 256, enough_tasks = 16;

  // sums (O x RSC), this block of it, over the pixels [begin, end).
  void run_task(std::int64_t begin, std::int64_t end, int output, int outputs, int column, int columns,
                float* sums) const {
    Scratch scratch_a, scratch_b, scratch_c;
    const int padded_outputs = rounded_up(outputs, gemm_block);
    const int padded_columns = rounded_up(columns, std::max(gemm_block, strip_.columns)), ldc = padded_columns;
    float* const a = scratch_a.floats(std::int64_t{padded_outputs} * gemm_depth);
    float* const b = scratch_b.floats(std::int64_t{padded_columns} * gemm_depth);
    float* const c = scratch_c.floats(std::int64_t{padded_outputs} * ldc);
    if (outputs < padded_outputs) std::fill_n(a, std::int64_t{padded_outputs} * gemm_depth, 0.0f);
    if (columns < padded_columns) std::fill_n(b, std::int64_t{padded_columns} * gemm_depth, 0.0f);

    constexpr std::int64_t block = std::int64_t{gemm_block} * gemm_depth;
    for (std::int64_t pixel = begin; pixel < end; pixel += gemm_depth) {
      const int depth = static_cast<int>(std::min<std::int64_t>(gemm_depth, end - pixel));
      for (int i = 0; i < outputs; i += gemm_block)
        copy_gradient(pixel, depth, output + i, std::min(gemm_block, outputs - i), a + i / gemm_block * block);
      for (int j = 0; j < columns; j += gemm_block)
        patches_.copy(pixel, depth, column + j, std::min(gemm_block, columns - j), b + j / gemm_block * block,
                      gemm_block);
      for (int j = 0; j < padded_columns; j += strip_.columns)
        for (int i = 0; i < padded_outputs; i += strip_.tile_rows)
          strip_.by_tiles(depth, a + i / gemm_block * block + i % gemm_block, 0,
                          b + j / gemm_block * block + j % gemm_block, block, c + std::int64_t{i} * ldc + j, ldc,
                          pixel > begin);
    }
    for (int o = 0; o < outputs; ++o)
      if (begin < end)
        copy_floats(c + std::int64_t{o} * ldc, columns, sums + std::int64_t{output + o} * columns_ + column);
      else
        std::fill_n(sums + std::int64_t{output + o} * columns_ + column, columns, 0.0f);
  }

  // dy of some pixels and at most 16 outputs, 16 apart.
  void copy_gradient(std::int64_t pixel, int depth, int output, int outputs, float* a) const {
    const float* in = dy_ + pixel * g_.out_c + output;
    const float* sign = relu_y_ != nullptr ? relu_y_ + pixel * g_.out_c + output : nullptr;
    for (int k = 0; k < depth; ++k, in += g_.out_c, a += gemm_block) {
      if (sign == nullptr) {
        copy_floats(in, outputs, a);
        continue;
      }
      copy_where_positive(in, sign, outputs, a);
      sign += g_.out_c;
    }
  }

  const Conv2dGeometry& g_;
  const float* dy_;
  const float* relu_y_;
  const Patches patches_;
  const std::int64_t pixels_;
  const int columns_;
  const GemmStrip& strip_;
  std::int64_t slices_ = 1;
};

}  // namespace

void forward(const Conv2dGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y) {
  const Patches patches = forward_patches(g, x);
  const int k = patches.row_length();
  Gemm gemm;
  gemm.m = std::int64_t{g.batch} * g.out_h() * g.out_w();
  gemm.n = g.out_c;
  gemm.k = k;
  gemm.pack_a = patch_rows_as_a(patches);
  gemm.pack_b = [&](std::int64_t inner, int depth, int kk, int tile_columns, float* block) {
    for (int column = 0; column < g.out_c; column += tile_columns) {
      float* out = packed_b_at(block, kk, column, tile_columns);
      const int count = std::min(tile_columns, g.out_c - column);
      const float* in = w + std::int64_t{column} * k + inner;
      for (int i = 0; i < depth; ++i, out += tile_columns) {
        for (int j = 0; j < count; ++j) out[j] = in[std::int64_t{j} * k + i];
        std::fill(out + count, out + tile_columns, 0.0f);
      }
    }
  };
  gemm.c = y;
  gemm.bias = bias;
  gemm.relu = relu;
  run_gemm(gemm);
}

void backward_data(const Conv2dGeometry& g, const float* dy, const float* relu_y, const float* w, float* dx) {
  Scratch scratch;
  if (relu_y != nullptr) {
    const std::int64_t count = g.y_shape().count();
    float* const masked = scratch.floats(count);
    parallel_chunks(count, elementwise_grain, [=](std::int64_t begin, std::int64_t end) {
      copy_where_positive(dy + begin, relu_y + begin, end - begin, masked + begin);
    });
    dy = masked;
  }
  const Patches patches = backward_patches(g, dy);
  Gemm gemm;
  gemm.m = std::int64_t{g.batch} * g.in_h * g.in_w;
  gemm.n = g.in_c;
  gemm.k = patches.row_length();
  gemm.pack_a = patch_rows_as_a(patches);
  gemm.pack_b = [&](std::int64_t inner, int depth, int kk, int tile_columns, float* block) {
    for (int i = 0; i < depth; ++i) {
      const int tap = g.taps() - 1 - static_cast<int>((inner + i) / g.out_c);
      const auto o = static_cast<int>((inner + i) % g.out_c);
      scatter_row(w + (std::int64_t{o} * g.taps() + tap) * g.in_c, g.in_c, kk + i, tile_columns, block);
    }
  };
  gemm.c = dx;
  gemm.accumulate = true;
  run_gemm(gemm);
}

void backward_weights(const Conv2dGeometry& g, const float* dy, const float* relu_y, const float* x, float* dw) {
  WeightGradient(g, dy, relu_y, x).run(dw);
}

}  // namespace acol::cpu::direct
