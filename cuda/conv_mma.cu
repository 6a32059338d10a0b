// Convolution on tensor cores: forward, and what the passes share.
//
//   conv_mma_plan.cuh          what the host decides: tiles, splits
//   conv_mma_kernel.cuh        the kernel: a matrix product
//   conv_mma_operands.cuh      its operands: patches, filters, gradients, and how they get into shared memory
//   conv_mma_tile.cuh          from there to the tensor cores; the precisions
//   conv_mma_bf16.cuh          the same for bf16
//   conv_mma_backward_*.cu     the other passes
#include "cuda/conv_mma.h"

#include <cstdlib>
#include <cstring>

#include "cuda/conv_mma_kernel.cuh"

namespace acol::cuda {

bool mma_available() {
  static const bool available = [] {
    if (const char* wish = std::getenv("ACOL_CUDA_CONV"); wish != nullptr && std::strcmp(wish, "simt") == 0)
      return false;
    stream();  // opens the card
    int device = 0;
    cudaDeviceProp properties;
    check_cuda(cudaGetDevice(&device), "looking for tensor cores");
    check_cuda(cudaGetDeviceProperties(&properties, device), "looking for tensor cores");
    return properties.major >= 8;
  }();
  return available;
}

template <class T>
bool mma_forward(Precision precision, const Conv2dGeometry& g, const T* x, const float* w, const float* bias, bool relu,
                 T* y) {
  if (!mma::suits<T>(g, x, w, bias, y)) return false;
  mma::with_element<T>(precision, g, [&]<class Element>(Element, Precision multiplied) {
    const mma::Factor<Element> x_factor(g.x_shape().count(), x), w_factor(g.w_shape().count(), w);
    const int rows = g.batch * g.out_h() * g.out_w(), terms = g.taps() * g.in_c;
    const int steps = mma::parts(terms, mma::depth<Element>);
    const mma::Output<T> output{y, rows, g.out_c, bias, relu, false, nullptr, nullptr};
    mma::run<mma::Forward<Element, T>>(multiplied, mma::tile_size(rows, g.out_c, false),
                                       {"conv2d forward, tensor cores",
                                        mma::input_patches(g, x_factor.data()),
                                        {w_factor.data(), g.out_c, terms},
                                        output,
                                        steps,
                                        steps});
  });
  return true;
}

template bool mma_forward(Precision, const Conv2dGeometry&, const float*, const float*, const float*, bool, float*);
template bool mma_forward(Precision, const Conv2dGeometry&, const Bf16*, const float*, const float*, bool, Bf16*);

}  // namespace acol::cuda
