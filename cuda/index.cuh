// How elementwise kernels cut their work: each thread takes every (threads of the grid)-th element.
#pragma once

#include <algorithm>

#include "cuda/launch.cuh"

namespace acol::cuda {

constexpr int threads_a_block = 256;

// Enough blocks for `count` elements, one a thread, but not more than keep any card busy: threads loop.
inline Grid grid_for(std::int64_t count) {
  const std::int64_t blocks = (count + threads_a_block - 1) / threads_a_block;
  return {dim3(static_cast<unsigned>(std::min<std::int64_t>(blocks, 4096))), dim3(threads_a_block)};
}

__device__ inline std::int64_t first_index() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t index_step() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

// body(i) for all i < count that are this thread's.
template <class Body>
__device__ inline void for_each_index(std::int64_t count, const Body& body) {
  for (std::int64_t i = first_index(); i < count; i += index_step()) body(i);
}

}  // namespace acol::cuda
