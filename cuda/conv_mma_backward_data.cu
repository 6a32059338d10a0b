// Backward data on tensor cores: at stride 1 a convolution of dy with filters (c, r, s, o), which is the same kernel as
// forward's with other strides in memory.
#include "cuda/conv_mma.h"
#include "cuda/conv_mma_kernel.cuh"

namespace acol::cuda {

bool mma_backward_data(Precision precision, const Conv2dGeometry& g, const float* dy, const float* relu_y,
                       const float* w, float* dx) {
  if (!mma::suits(g, dy, relu_y, w, dx) || g.stride_h != 1 || g.stride_w != 1) return false;
  const mma::MaskedGradient gradient(g, dy, relu_y);
  const int rows = g.batch * g.in_h * g.in_w, steps = mma::parts(g.taps() * g.out_c, mma::depth);
  const mma::Patches a{gradient.data(), g.batch, g.out_h(), g.out_w(), g.out_c, g.in_h,        g.in_w,       g.filter_h,
                       g.filter_w,      1,       1,         g.pad_h,   g.pad_w, -g.dilation_h, -g.dilation_w};
  const mma::FilterTerms b{w, g.out_c, g.taps(), g.in_c};
  const mma::Output output{dx, rows, g.in_c, nullptr, false, true};
  mma::run<mma::BackwardData>(precision, mma::tile_size(rows, g.in_c, false),
                              {"conv2d backward data, tensor cores", a, b, output, steps, steps});
  return true;
}

}  // namespace acol::cuda
