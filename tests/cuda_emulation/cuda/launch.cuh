// Takes the place of cuda/launch.cuh when kernels are compiled for the CPU: the same interface, on the scheduler of the
// emulation.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include "cuda/runtime.h"

namespace acol::cuda {

// Blocks run one after the other, so all blocks of all kernels can have the same memory.
template <class T>
T& shared() {
  alignas(16) static unsigned char bytes[sizeof(T) + emulation::shared_guard_bytes];
  static std::size_t last_block = 0;
  static_assert(alignof(T) <= 16);
  emulation::begin_static_shared_memory(last_block, bytes, sizeof(T));
  return *reinterpret_cast<T*>(bytes);
}

template <class T>
T& dynamic_shared() {
  static_assert(alignof(T) <= 16);
  return *static_cast<T*>(emulation::dynamic_shared_memory(sizeof(T)));
}

struct Grid {
  dim3 blocks, threads;
  std::size_t shared_bytes = 0;
  cudaStream_t stream = nullptr;  // null: the one of all work
};

namespace emulation {

#if __has_builtin(__builtin_clear_padding)
constexpr bool can_clear_padding = true;
template <class T>
void clear_padding(T& value) {
  __builtin_clear_padding(&value);
}
#else
constexpr bool can_clear_padding = false;
template <class T>
void clear_padding(T&) {}
#endif

// A card gets the bytes of an argument, and cannot follow a pointer to the host's memory. Bytes between the members of
// a struct could look like one; where they cannot be cleared, structs are not looked into.
template <class T>
void check_argument(const char* name, int number, T argument) {
  static_assert(std::is_trivially_copyable_v<T>, "arguments of kernels are copied byte by byte");
  bool usable = true;
  if constexpr (std::is_pointer_v<T>)
    usable = usable_on_device(reinterpret_cast<const void*>(argument));
  else if constexpr (can_clear_padding) {
    clear_padding(argument);
    usable = !holds_host_address(&argument, sizeof(T));
  }
  check(usable, name, ": argument ", number, " of the kernel is or holds a pointer that is not to device memory");
}

}  // namespace emulation

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const Grid& grid, Arguments... arguments) {
  static_assert(!(std::is_reference_v<Parameters> || ...), "a card cannot refer to the host's memory");
  if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
  count_launch();
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<std::remove_cv_t<Parameters>...> arguments;
  };
  const Call call{kernel, {static_cast<Parameters>(arguments)...}};
  [[maybe_unused]] int number = 0;
  std::apply([&](const auto&... each) { (emulation::check_argument(name, ++number, each), ...); }, call.arguments);
  const auto thread = [](const void* data) {
    const Call& mine = *static_cast<const Call*>(data);
    std::apply(mine.kernel, mine.arguments);
  };
  emulation::run({name, grid.blocks, grid.threads, grid.shared_bytes, thread, &call});
}

}  // namespace acol::cuda
