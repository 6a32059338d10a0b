// Convolution on tensor cores: forward, and what the passes share.
//
//   conv_mma_plan.cuh          what the host decides: tiles, splits
//   conv_mma_kernel.cuh        the kernel: a matrix product
//   conv_mma_operands.cuh      its operands: patches, filters, gradients, and how they get into shared memory
//   conv_mma_tile.cuh          from there to the tensor cores; the precisions
//   conv_mma_backward_*.cu     the other passes
#include "cuda/conv_mma.h"

#include <cstdlib>
#include <cstring>

#include "cuda/conv_mma_kernel.cuh"

namespace acol::cuda {

namespace mma {

namespace {

__global__ void mask_kernel(std::int64_t packs, const Floats4* dy, const Floats4* relu_y, Floats4* masked) {
  for_each_index(packs, [&](std::int64_t i) {
    Floats4 kept = dy[i];
    const Floats4 y = relu_y[i];
#pragma unroll
    for (int j = 0; j < 4; ++j) kept.at[j] = y.at[j] > 0 ? kept.at[j] : 0;
    masked[i] = kept;
  });
}

}  // namespace

MaskedGradient::MaskedGradient(const Conv2dGeometry& g, const float* dy, const float* relu_y) : data_(dy) {
  if (relu_y == nullptr) return;
  const std::int64_t count = std::int64_t{g.batch} * g.out_h() * g.out_w() * g.out_c, packs = count / 4;
  masked_.emplace(static_cast<std::size_t>(count) * sizeof(float));
  data_ = masked_->as<float>();
  launch("conv2d masked gradient", mask_kernel, grid_for(packs), packs, reinterpret_cast<const Floats4*>(dy),
         reinterpret_cast<const Floats4*>(relu_y), masked_->as<Floats4>());
}

}  // namespace mma

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

bool mma_forward(Precision precision, const Conv2dGeometry& g, const float* x, const float* w, const float* bias,
                 bool relu, float* y) {
  if (!mma::suits(g, x, w, bias, y)) return false;
  const int rows = g.batch * g.out_h() * g.out_w(), terms = g.taps() * g.in_c, steps = mma::parts(terms, mma::depth);
  const mma::Patches a{x,          g.batch,    g.in_h,     g.in_w,   g.in_c,   g.out_h(),    g.out_w(),   g.filter_h,
                       g.filter_w, g.stride_h, g.stride_w, -g.pad_h, -g.pad_w, g.dilation_h, g.dilation_w};
  const mma::Matrix b{w, g.out_c, terms};
  const mma::Output output{y, rows, g.out_c, bias, relu, false};
  mma::run<mma::Forward>(precision, mma::tile_size(rows, g.out_c, false),
                         {"conv2d forward, tensor cores", a, b, output, steps, steps});
  return true;
}

}  // namespace acol::cuda
