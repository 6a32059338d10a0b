#include "cuda/device_arena.h"

#include <algorithm>

#include "cuda/runtime.h"
#include "tensor/check.h"

namespace acol::cuda {

namespace {

constexpr std::size_t alignment = 256, block_step = std::size_t{64} << 20;

std::size_t rounded_up(std::size_t bytes, std::size_t step) {
  return std::max<std::size_t>(1, (bytes + step - 1) / step) * step;
}

// A block from the driver; null if it has none of that size.
std::byte* block_from_driver(std::size_t bytes) {
  void* block = nullptr;
  const cudaError_t status = cudaMalloc(&block, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // else the next launch would report it
    return nullptr;
  }
  check_cuda(status, "taking memory");
  return static_cast<std::byte*>(block);
}

}  // namespace

std::byte* DeviceArena::take(std::size_t bytes) {
  stream();  // opens the card
  const std::size_t size = rounded_up(bytes, alignment);
  const std::lock_guard lock(mutex_);
  std::byte* memory = free_.take(size);
  if (memory == nullptr) {
    std::size_t length = rounded_up(size, block_step);
    std::byte* block = block_from_driver(length);
    if (block == nullptr) block = block_from_driver(length = size);
    if (block == nullptr) {
      std::size_t free_bytes = 0, all = 0;
      cudaMemGetInfo(&free_bytes, &all);
      fail("cuda: out of memory: ", bytes >> 20, " MB asked, ", free_bytes >> 20, " of the card's ", all >> 20,
           " MB free, ", use_.bytes_in_use >> 20, " in use here and ",
           (use_.bytes_from_system - use_.bytes_in_use) >> 20,
           " in pieces that are too small; lower --batch-size, --micro-batch or --crop, or train with --memory lean");
    }
    use_.bytes_from_system += length;
    ++use_.allocations_from_system;
    free_.give_back(block, length);
    memory = free_.take(size);
  }
  use_.bytes_in_use += size;
  use_.peak_bytes_in_use = std::max(use_.peak_bytes_in_use, use_.bytes_in_use);
  return memory;
}

void DeviceArena::give_back(std::byte* memory, std::size_t bytes) {
  const std::size_t size = rounded_up(bytes, alignment);
  const std::lock_guard lock(mutex_);
  use_.bytes_in_use -= size;
  free_.give_back(memory, size);
}

MemoryUse DeviceArena::use() {
  const std::lock_guard lock(mutex_);
  return use_;
}

void DeviceArena::restart_peak() {
  const std::lock_guard lock(mutex_);
  use_.peak_bytes_in_use = use_.bytes_in_use;
}

}  // namespace acol::cuda
