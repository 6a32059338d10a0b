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

template <class T>
bool mma_backward_weights(Precision precision, const Conv2dGeometry& g, const T* dy, const T* relu_y, const T* x,
                          float* dw, float* db) {
  if (!mma::suits<T>(g, dy, relu_y, x, dw)) return false;
  const int pixels = g.batch * g.out_h() * g.out_w(), columns = g.taps() * g.in_c;
  if (pixels == 0) return true;
  const mma::TileSize size = mma::tile_size(columns, g.out_c, true);
  const int tiles = size == mma::TileSize::small
                        ? mma::parts(g.out_c, 64) * mma::parts(columns, 64)
                        : mma::parts(g.out_c, size == mma::TileSize::wide ? 128 : 64) * mma::parts(columns, 128);
  mma::with_element<T>(precision, g, [&]<class Element>(Element, Precision multiplied) {
    const mma::Factor<Element> gradient(g.y_shape().count(), dy, relu_y), input(g.x_shape().count(), x);
    const int steps = mma::parts(pixels, mma::depth<Element>), steps_a_split = steps_in_split(tiles, steps);
    const int splits = mma::parts(steps, steps_a_split);
    const auto partials = [splits](std::int64_t count) {
      return sizeof(float) * static_cast<std::size_t>(splits * count);
    };
    const std::int64_t count = std::int64_t{g.out_c} * columns;
    const char* const name = "conv2d backward weights, tensor cores";

    std::optional<Scratch> partial_dw, partial_db;
    mma::Output<float> output{dw, g.out_c, columns, nullptr, false, true, nullptr, nullptr};
    if (splits > 1) {
      output.c = partial_dw.emplace(partials(count)).template as<float>();
      output.accumulate = false;
    }
    if (db != nullptr) output.row_sums = partial_db.emplace(partials(g.out_c)).template as<float>();
    mma::run<mma::BackwardWeights<Element>>(multiplied, size,
                                            {name,
                                             {gradient.data(), pixels, 1, g.out_c},
                                             mma::input_patches(g, input.data()),
                                             output,
                                             steps,
                                             steps_a_split});
    if (splits > 1) add_parts(name, splits, count, output.c, dw);
    if (db != nullptr) add_parts(name, splits, g.out_c, output.row_sums, db);
  });
  return true;
}

template bool mma_backward_weights(Precision, const Conv2dGeometry&, const float*, const float*, const float*, float*,
                                   float*);
template bool mma_backward_weights(Precision, const Conv2dGeometry&, const Bf16*, const Bf16*, const Bf16*, float*,
                                   float*);

}  // namespace acol::cuda
