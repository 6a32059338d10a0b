// Starting kernels, and the memory that a block shares. The tests have a second version of this file, which runs the
// same kernels on the CPU (tests/cuda_emulation/cuda/launch.cuh): so kernels are started with launch() only, take
// shared memory from shared() or dynamic_shared() only, and use tensor-core and copy instructions through ptx.cuh only.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "cuda/runtime.h"

namespace acol::cuda {

// One T for all threads of a block, undetermined at the start of the block. T: plain numbers, at most 48 KB over all
// types of a kernel. A kernel names each T once.
template <class T>
__device__ __forceinline__ T& shared() {
  __shared__ alignas(16) unsigned char bytes[sizeof(T)];
  return *reinterpret_cast<T*>(bytes);
}

// The same for one large T a kernel: launch it with Grid::shared_bytes = sizeof(T).
template <class T>
__device__ __forceinline__ T& dynamic_shared() {
  extern __shared__ uint4 dynamic_shared_bytes[];
  return *reinterpret_cast<T*>(dynamic_shared_bytes);
}

struct Grid {
  dim3 blocks, threads;
  std::size_t shared_bytes = 0;
  cudaStream_t stream = nullptr;  // null: the one of all work
};

// Runs `kernel` after all that was started in its stream before. Error names `name`. A grid of no blocks does nothing.
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const Grid& grid, Arguments... arguments) {
  if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
  if (grid.shared_bytes > 48 << 10)
    check_cuda(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(grid.shared_bytes)),
               name);
  count_launch();
  const cudaStream_t into = grid.stream != nullptr ? grid.stream : stream();
  kernel<<<grid.blocks, grid.threads, grid.shared_bytes, into>>>(static_cast<Parameters>(arguments)...);
  check_cuda(cudaGetLastError(), name);
  if (waits_after_each_launch()) check_cuda(cudaStreamSynchronize(into), name);
}

}  // namespace acol::cuda
