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

namespace mma {

namespace {

__device__ void keep_positive(Floats4& numbers, const Floats4& relu_y) {
#pragma unroll
  for (int i = 0; i < 4; ++i) numbers.at[i] = relu_y.at[i] > 0 ? numbers.at[i] : 0;
}

__global__ void mask_kernel(std::int64_t packs, const Floats4* numbers, const Floats4* relu_y, Floats4* masked) {
  for_each_index(packs, [&](std::int64_t i) {
    Floats4 kept = numbers[i];
    keep_positive(kept, relu_y[i]);
    masked[i] = kept;
  });
}

// Eight numbers a thread. relu_y may be null.
__global__ void round_kernel(std::int64_t packs, const Floats4* numbers, const Floats4* relu_y, uint4* rounded) {
  for_each_index(packs, [&](std::int64_t i) {
    Floats4 low = numbers[2 * i], high = numbers[2 * i + 1];
    if (relu_y != nullptr) {
      keep_positive(low, relu_y[2 * i]);
      keep_positive(high, relu_y[2 * i + 1]);
    }
    rounded[i] = uint4{pack_bf16(low.at[0], low.at[1]), pack_bf16(low.at[2], low.at[3]),
                       pack_bf16(high.at[0], high.at[1]), pack_bf16(high.at[2], high.at[3])};
  });
}

const Floats4* packs_of(const float* numbers) { return reinterpret_cast<const Floats4*>(numbers); }

}  // namespace

template <>
Factor<float>::Factor(std::int64_t count, const float* numbers, const float* relu_y) : data_(numbers) {
  if (relu_y == nullptr) return;
  copy_.emplace(static_cast<std::size_t>(count) * sizeof(float));
  data_ = copy_->as<float>();
  const std::int64_t packs = count / pack_size<float>;
  launch("conv2d, masking a gradient", mask_kernel, grid_for(packs), packs, packs_of(numbers), packs_of(relu_y),
         copy_->as<Floats4>());
}

template <>
Factor<Bf16>::Factor(std::int64_t count, const float* numbers, const float* relu_y) {
  copy_.emplace(static_cast<std::size_t>(count) * sizeof(Bf16));
  data_ = copy_->as<Bf16>();
  const std::int64_t packs = count / pack_size<Bf16>;
  launch("conv2d, rounding to bf16", round_kernel, grid_for(packs), packs, packs_of(numbers), packs_of(relu_y),
         copy_->as<uint4>());
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
  precision = mma::precision_for(precision, g);
  mma::with_element(precision, [&]<class Element>(Element) {
    const mma::Factor<Element> x_factor(g.x_shape().count(), x), w_factor(g.w_shape().count(), w);
    const int rows = g.batch * g.out_h() * g.out_w(), terms = g.taps() * g.in_c;
    const int steps = mma::parts(terms, mma::depth<Element>);
    const mma::Output output{y, rows, g.out_c, bias, relu, false, nullptr, nullptr};
    mma::run<mma::Forward<Element>>(precision, mma::tile_size(rows, g.out_c, false),
                                    {"conv2d forward, tensor cores",
                                     mma::input_patches(g, x_factor.data()),
                                     {w_factor.data(), g.out_c, terms},
                                     output,
                                     steps,
                                     steps});
  });
  return true;
}

}  // namespace acol::cuda
