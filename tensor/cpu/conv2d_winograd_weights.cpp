// The gradient of a convolution's filters by Winograd's method: dw = G^T dU G with, for each point xi,
// dU[xi] (outputs x inputs) = E[xi]^T (outputs x tiles) V[xi] (tiles x inputs), E = A dy A^T and V = B^T x B.
//
// A task sums some tiles for a block of outputs and a block of inputs. Where there are few blocks, the tiles are cut
// into slices, which are summed apart and then added in order.
#include <algorithm>
#include <array>
#include <cstring>

#include "tensor/cpu/conv2d_methods.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/scratch.h"
#include "tensor/cpu/winograd_tiles.h"
#include "tensor/simd/kernels.h"

namespace acol::cpu::winograd {

namespace {

constexpr int most_points = 36, taps = 9;
constexpr int padding = 16;  // see conv2d_winograd.cpp

class WeightGradient {
 public:
  WeightGradient(const Conv2dGeometry& g, const ConvPlan& plan, const float* dy, const float* relu_y, const float* x)
      : g_(g),
        plan_(plan),
        x_{x, g.in_h, g.in_w, g.in_c},
        dy_{dy, g.out_h(), g.out_w(), g.out_c},
        mask_{relu_y, g.out_h(), g.out_w(), g.out_c},
        transforms_(plan.method == ConvMethod::winograd4 ? simd_kernels().winograd4 : simd_kernels().winograd2),
        strip_(g.in_c <= simd_kernels().gemm.narrow.columns ? simd_kernels().gemm.narrow : simd_kernels().gemm.wide),
        grid_(g.out_h(), g.out_w(), transforms_.outputs),
        points_((transforms_.outputs + 2) * (transforms_.outputs + 2)) {}

  // dw += the gradient.
  void run(float* dw) const {
    Scratch scratch;
    const int output_blocks = (g_.out_c + plan_.outputs - 1) / plan_.outputs;
    const int input_blocks = (g_.in_c + plan_.inputs - 1) / plan_.inputs;
    const std::int64_t tiles = grid_.count(g_.batch), length = (tiles + plan_.slices - 1) / plan_.slices;
    const std::int64_t count = g_.w_shape().count();
    float* const sums = plan_.slices > 1 ? scratch.floats(plan_.slices * count) : dw;
    parallel_chunks(std::int64_t{plan_.slices} * output_blocks * input_blocks, 1, [&](std::int64_t task, std::int64_t) {
      const int input = static_cast<int>(task % input_blocks) * plan_.inputs;
      const int output = static_cast<int>(task / input_blocks % output_blocks) * plan_.outputs;
      const std::int64_t slice = task / input_blocks / output_blocks, first = std::min(tiles, slice * length);
      run_task(first, std::min(tiles, first + length), output, std::min(plan_.outputs, g_.out_c - output), input,
               std::min(plan_.inputs, g_.in_c - input), sums + (plan_.slices > 1 ? slice * count : 0));
    });
    if (plan_.slices == 1) return;
    parallel_chunks(count, elementwise_grain / plan_.slices, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t slice = 0; slice < plan_.slices; ++slice) {
        const float* const in = sums + slice * count;
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) dw[i] += in[i];
      }
    });
  }

 private:
  // Transformed tiles, in blocks of 16 channels: point xi, block b, tile t and channel c at
  // data[xi * point + b * block + t * 16 + c].
  struct Tiles {
    float* data;
    std::int64_t point, block;

    Tiles(Scratch& scratch, int points, int tiles, int channels)
        : point((channels + gemm_block - 1) / gemm_block * gemm_block * std::int64_t{tiles} + padding),
          block(std::int64_t{gemm_block} * tiles) {
      data = scratch.floats(points * point);
    }
  };

  void run_task(std::int64_t begin, std::int64_t end, int output, int outputs, int input, int inputs, float* dw) const {
    Scratch scratch_v, scratch_e, scratch_u;
    // Whole tiles of the product: what is beyond the last channel comes to nothing that is used.
    const int rows = (outputs + strip_.tile_rows - 1) / strip_.tile_rows * strip_.tile_rows;
    const int columns = (inputs + strip_.columns - 1) / strip_.columns * strip_.columns;
    const Tiles v(scratch_v, points_, plan_.tiles, columns), e(scratch_e, points_, plan_.tiles, rows);
    const std::int64_t u_row = columns + padding, u_point = rows * u_row + padding;
    float* const du = scratch_u.floats(points_ * u_point);
    if (inputs < columns) std::fill_n(v.data, points_ * v.point, 0.0f);  // no stale NaN, which would slow it down
    if (outputs < rows) std::fill_n(e.data, points_ * e.point, 0.0f);

    for (std::int64_t tile = begin; tile < end; tile += plan_.tiles) {
      const int tiles = static_cast<int>(std::min<std::int64_t>(plan_.tiles, end - tile));
      transform_tiles(tile, tiles, output, outputs, e, input, inputs, v);
      for (int xi = 0; xi < points_; ++xi)
        for (int column = 0; column < columns; column += strip_.columns) {
          const float* const b = v.data + xi * v.point + column / gemm_block * v.block + column % gemm_block;
          for (int row = 0; row < rows; row += strip_.tile_rows)
            strip_.by_tiles(tiles, e.data + xi * e.point + row / gemm_block * e.block + row % gemm_block, 0, b, v.block,
                            du + xi * u_point + row * u_row + column, u_row, tile > begin);
        }
    }
    for (int o = 0; o < outputs; ++o) {
      float* const out = dw + std::int64_t{output + o} * taps * g_.in_c + input;
      if (plan_.slices > 1)
        for (int tap = 0; tap < taps; ++tap) std::fill_n(out + std::int64_t{tap} * g_.in_c, inputs, 0.0f);
      if (begin < end) transforms_.filter_gradient(du + o * u_row, u_point, inputs, out, g_.in_c);
    }
  }

  void transform_tiles(std::int64_t first, int tiles, int output, int outputs, const Tiles& e, int input, int inputs,
                       const Tiles& v) const {
    static thread_local Scratch scratch;
    const int most = std::max(inputs, outputs);
    float* const outside = scratch.floats(most);
    std::fill_n(outside, most, 0.0f);
    std::array<const float*, most_points> pixels, mask;
    for (int t = 0; t < tiles; ++t) {
      const TileGrid::Place place = grid_.at(first + t);
      x_.point_at(place.n, place.y - g_.pad_h, place.x - g_.pad_w, grid_.side + 2, input, outside, pixels.data());
      transforms_.input(pixels.data(), nullptr, inputs, v.data + t * gemm_block, v.block, v.point);
      dy_.point_at(place.n, place.y, place.x, grid_.side, output, outside, pixels.data());
      if (mask_.data != nullptr) mask_.point_at(place.n, place.y, place.x, grid_.side, output, outside, mask.data());
      transforms_.output_gradient(pixels.data(), mask_.data != nullptr ? mask.data() : nullptr, outputs,
                                  e.data + t * gemm_block, e.block, e.point);
    }
  }

  const Conv2dGeometry& g_;
  const ConvPlan& plan_;
  const Pictures<const float> x_, dy_, mask_;
  const WinogradTransforms& transforms_;
  const GemmStrip& strip_;
  const TileGrid grid_;
  const int points_;
};

}  // namespace

void backward_weights(const Conv2dGeometry& g, const ConvPlan& plan, const float* dy, const float* relu_y,
                      const float* x, float* dw) {
  WeightGradient(g, plan, dy, relu_y, x).run(dw);
}

}  // namespace acol::cpu::winograd
