// Convolution as a matrix product over patches ("implicit GEMM"): patches are copied block by block into packed A or B,
// so the patch matrix never exists as a whole.
//   forward:           y (pixels x O)       = patches(x) (pixels x RSC)   W^T (RSC x O)
//   backward data:     dx (pixels x C)     += patches(dy) (pixels x RSO)  W' (RSO x C), taps from the last to the first
//   backward weights:  dw (O x RSC)        += dy^T (O x pixels)           patches(x) (pixels x RSC)
#include <algorithm>
#include <cstring>
#include <vector>

#include "tensor/cpu/conv2d_methods.h"
#include "tensor/cpu/gemm.h"
#include "tensor/cpu/kernels.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/patches.h"
#include "tensor/cpu/scratch.h"

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

void copy_where_positive(const float* in, const float* sign, std::int64_t count, float* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) out[i] = sign[i] > 0 ? in[i] : 0;
}

// dw = or += dy^T patches over the pixels [first, last).
Gemm weight_gradient(const Conv2dGeometry& g, const float* dy, const float* relu_y, const Patches& patches, std::int64_t first,
                     std::int64_t last, float* dw) {
  Gemm gemm;
  gemm.m = g.out_c;
  gemm.n = patches.row_length();
  gemm.k = last - first;
  gemm.packed_a = PackedA::by_depth;
  gemm.pack_a = [=, &g](std::int64_t row, int rows, std::int64_t inner, int depth, int tile_rows, float* block) {
    for (int tile = 0; tile * tile_rows < rows; ++tile) {
      float* out = block + std::int64_t{tile} * tile_rows * gemm_stride;
      const int count = std::min(tile_rows, rows - tile * tile_rows);
      std::int64_t at = (first + inner) * g.out_c + row + std::int64_t{tile} * tile_rows;
      for (int kk = 0; kk < depth; ++kk, at += g.out_c, out += tile_rows) {
        if (relu_y == nullptr)
          copy_floats(dy + at, count, out);
        else
          copy_where_positive(dy + at, relu_y + at, count, out);
        std::fill(out + count, out + tile_rows, 0.0f);
      }
    }
  };
  gemm.pack_b = [=, n = gemm.n](std::int64_t inner, int depth, int kk, int tile_columns, float* block) {
    for (int column = 0; column < n; column += tile_columns) {
      float* out = packed_b_at(block, kk, column, tile_columns);
      const int count = std::min(tile_columns, n - column);
      patches.copy(first + inner, depth, column, count, out, tile_columns);
      if (count < tile_columns)
        for (int i = 0; i < depth; ++i, out += tile_columns) std::fill(out + count, out + tile_columns, 0.0f);
    }
  };
  gemm.c = dw;
  return gemm;
}

// A small dw gives too few tiles to share out: then the pixels are cut into slices, one partial sum each. The slices
// depend on the shape alone, and are added in order.
void add_weight_gradient_in_slices(const Conv2dGeometry& g, const float* dy, const float* relu_y, const Patches& patches,
                                   std::int64_t pixels, std::int64_t slices, float* dw) {
  static thread_local Scratch scratch;
  const std::int64_t count = g.w_shape().count(), length = (pixels + slices - 1) / slices;
  float* const partial = scratch.floats(slices * count);
  parallel_chunks(slices, 1, [&](std::int64_t slice, std::int64_t) {
    const std::int64_t first = std::min(pixels, slice * length), last = std::min(pixels, first + length);
    Gemm gemm = weight_gradient(g, dy, relu_y, patches, first, last, partial + slice * count);
    gemm.packed_b_floats = 0;  // one block at a time
    run_gemm(gemm);
  });
  parallel_chunks(count, elementwise_grain / slices, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t slice = 0; slice < slices; ++slice) {
      const float* const in = partial + slice * count;
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) dw[i] += in[i];
    }
  });
}

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
  static Scratch scratch;
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
  const Patches patches = forward_patches(g, x);
  const std::int64_t pixels = std::int64_t{g.batch} * g.out_h() * g.out_w();
  const std::int64_t count = g.w_shape().count();

  constexpr std::int64_t most_slices = 16, small_count = 1 << 16;
  const std::int64_t slices = std::min(most_slices, pixels / gemm_depth);
  if (count <= small_count && slices > 1) {
    add_weight_gradient_in_slices(g, dy, relu_y, patches, pixels, slices, dw);
  } else {
    Gemm gemm = weight_gradient(g, dy, relu_y, patches, 0, pixels, dw);
    gemm.accumulate = true;
    run_gemm(gemm);
  }
}

}  // namespace acol::cpu::direct
