// Dropout. A thread draws one counter of the generator, which makes four random words: those of four neighbouring
// elements. Nothing is kept for backward, which draws the same again.
#include <array>

#include "cuda/kernels.h"
#include "cuda/pack.cuh"
#include "tensor/random.h"

namespace acol::cuda {

namespace {

struct Draws {
  std::uint64_t seed;
  std::uint32_t step, layer;

  __device__ std::array<std::uint32_t, 4> words(std::int64_t four) const {
    return philox4x32({static_cast<std::uint32_t>(four), static_cast<std::uint32_t>(Purpose::dropout), step, layer},
                      seed);
  }
};

// out = x scaled or 0, or that much more.
template <bool accumulate>
__device__ void drop(std::uint32_t word, float rate, float x, float& out) {
  const bool keep = static_cast<float>(word >> 8) * 0x1p-24f >= rate;
  if (accumulate)
    out = keep ? out + x / (1 - rate) : out;
  else
    out = keep ? x / (1 - rate) : 0;
}

template <bool accumulate, class T>
__global__ void dropout_kernel(std::int64_t count, bool aligned, Draws draws, float rate, const T* x, T* out) {
  for_each_index((count + 3) / 4, [&](std::int64_t four) {
    const std::int64_t first = 4 * four;
    const std::array<std::uint32_t, 4> words = draws.words(four);
    if (first + 4 <= count) {
      const Pack<float, 4> in = load<4>(x + first, aligned);
      Pack<float, 4> result = {};
      if (accumulate) result = load<4>(out + first, aligned);
      for (int i = 0; i < 4; ++i) drop<accumulate>(words[static_cast<std::size_t>(i)], rate, in.at[i], result.at[i]);
      store<4>(result, out + first, aligned);
      return;
    }
    for (std::int64_t i = first; i < count; ++i) {
      float result = 0;
      if (accumulate) result = out[i];
      drop<accumulate>(words[static_cast<std::size_t>(i - first)], rate, x[i], result);
      out[i] = result;
    }
  });
}

}  // namespace

template <class T>
void dropout_forward(std::int64_t count, float rate, std::uint64_t seed, std::uint32_t step, std::uint32_t layer,
                     const T* x, T* y) {
  launch("dropout_forward", dropout_kernel<false, T>, grid_for((count + 3) / 4), count, aligned(4, x, y),
         Draws{seed, step, layer}, rate, x, y);
}

template <class T>
void dropout_backward(std::int64_t count, float rate, std::uint64_t seed, std::uint32_t step, std::uint32_t layer,
                      const T* dy, T* dx) {
  launch("dropout_backward", dropout_kernel<true, T>, grid_for((count + 3) / 4), count, aligned(4, dy, dx),
         Draws{seed, step, layer}, rate, dy, dx);
}

template void dropout_forward(std::int64_t, float, std::uint64_t, std::uint32_t, std::uint32_t, const float*, float*);
template void dropout_backward(std::int64_t, float, std::uint64_t, std::uint32_t, std::uint32_t, const float*, float*);

template void dropout_forward(std::int64_t, float, std::uint64_t, std::uint32_t, std::uint32_t, const Bf16*, Bf16*);
template void dropout_backward(std::int64_t, float, std::uint64_t, std::uint32_t, std::uint32_t, const Bf16*, Bf16*);

}  // namespace acol::cuda
