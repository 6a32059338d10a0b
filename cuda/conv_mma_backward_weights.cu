// Backward weights on tensor cores: a small matrix of long sums over all pixels. The pixels are split, so that there
// are blocks enough; each split makes a gradient of its own, and a second kernel adds them up in their order.
#include "cuda/conv2d_parts.cuh"
#include "cuda/conv_mma.h"
#include "cuda/conv_mma_kernel.cuh"

namespace acol::cuda {

namespace {

// Blocks enough for a large card to be busy to the end, but none with so few steps that its start and its end tell.
int steps_in_split(int tiles, int steps) {
  constexpr int many_blocks = 1024, fewest_steps = 32;
  const int splits = std::clamp(std::min(many_blocks / tiles, steps / fewest_steps), 1, many_blocks);
  return mma::parts(steps, splits);
}

}  // namespace

bool mma_backward_weights(Precision precision, const Conv2dGeometry& g, const float* dy, const float* relu_y,
                          const float* x, float* dw) {
  if (!mma::suits(g, dy, relu_y, x, dw)) return false;
  const int pixels = g.batch * g.out_h() * g.out_w(), columns = g.taps() * g.in_c;
  if (pixels == 0) return true;
  const mma::TileSize size = mma::tile_size(columns, g.out_c, true);
  const int tiles = size == mma::TileSize::small
                        ? mma::parts(g.out_c, 64) * mma::parts(columns, 64)
                        : mma::parts(g.out_c, size == mma::TileSize::wide ? 128 : 64) * mma::parts(columns, 128);
  const int steps = mma::parts(pixels, mma::depth), steps_a_split = steps_in_split(tiles, steps);
  const int splits = mma::parts(steps, steps_a_split);

  const mma::MaskedGradient gradient(g, dy, relu_y);
  const mma::FilterTerms a{gradient.data(), pixels, 1, g.out_c};
  const mma::Patches b{x,          g.batch,    g.in_h,     g.in_w,   g.in_c,   g.out_h(),    g.out_w(),   g.filter_h,
                       g.filter_w, g.stride_h, g.stride_w, -g.pad_h, -g.pad_w, g.dilation_h, g.dilation_w};
  const char* const name = "conv2d backward weights, tensor cores";
  if (splits == 1) {
    const mma::Output output{dw, g.out_c, columns, nullptr, false, true};
    mma::run<mma::BackwardWeights>(precision, size, {name, a, b, output, steps, steps_a_split});
    return true;
  }
  const std::int64_t count = std::int64_t{g.out_c} * columns;
  const Scratch partial(sizeof(float) * static_cast<std::size_t>(splits * count));
  const mma::Output output{partial.as<float>(), g.out_c, columns, nullptr, false, false};
  mma::run<mma::BackwardWeights>(precision, size, {name, a, b, output, steps, steps_a_split});
  add_parts(name, splits, count, partial.as<float>(), dw);
  return true;
}

}  // namespace acol::cuda
