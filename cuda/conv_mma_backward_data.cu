// Backward data on tensor cores: at stride 1 a convolution of dy with filters (c, r, s, o), which is the same kernel as
// forward's with other strides in memory.
#include "cuda/conv_mma.h"
#include "cuda/conv_mma_kernel.cuh"

namespace acol::cuda {

template <class T>
bool mma_backward_data(Precision precision, const Conv2dGeometry& g, const T* dy, const T* relu_y, const float* w,
                       const T* relu_x, T* dx) {
  if (!mma::suits<T>(g, dy, relu_y, w, relu_x, dx) || g.stride_h != 1 || g.stride_w != 1) return false;
  mma::with_element<T>(precision, g, [&]<class Element>(Element, Precision multiplied) {
    const mma::Factor<Element> gradient(g.y_shape().count(), dy, relu_y), filters(g.w_shape().count(), w);
    const int rows = g.batch * g.in_h * g.in_w, steps = mma::parts(g.taps() * g.out_c, mma::depth<Element>);
    const mma::Output<T> output{dx, rows, g.in_c, nullptr, false, true, relu_x, nullptr};
    mma::run<mma::BackwardData<Element, T>>(multiplied, mma::tile_size(rows, g.in_c, false),
                                            {"conv2d backward data, tensor cores",
                                             mma::output_patches(g, gradient.data()),
                                             {filters.data(), g.out_c, g.taps(), g.in_c},
                                             output,
                                             steps,
                                             steps});
  });
  return true;
}

template bool mma_backward_data(Precision, const Conv2dGeometry&, const float*, const float*, const float*,
                                const float*, float*);
template bool mma_backward_data(Precision, const Conv2dGeometry&, const Bf16*, const Bf16*, const float*, const Bf16*,
                                Bf16*);

}  // namespace acol::cuda
