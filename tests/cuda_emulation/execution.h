// What a kernel's functions (cuda_runtime.h, cuda/launch.cuh, cuda/ptx.cuh) ask of the scheduler (scheduler.cpp).
//
// Only one kernel runs at a time in the process, in one thread of the system, so its state is plain global variables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tensor/check.h"
#include "vector_types.h"

// The thread that runs now. CUDA's own names.
inline constinit uint3 threadIdx{}, blockIdx{};
inline constinit dim3 blockDim{}, gridDim{};
inline constexpr int warpSize = 32;

namespace acol::cuda::emulation {

// A line of a kernel. As the default of a parameter, current() is the line of the call.
struct Where {
  const char* file = "";
  int line = 0;

  static constexpr Where current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

struct Launch {
  const char* name;
  dim3 blocks, threads;
  std::size_t shared_bytes;
  void (*thread)(const void* arguments);  // one thread's way through the kernel
  const void* arguments;
};

// Runs every thread of every block. Error: a launch that a card refuses, or a mistake of the kernel; what the kernel
// throws passes through.
void run(const Launch& launch);

// "; kernel relu, block (0, 0, 0), thread (3, 0, 0)": the thread that runs now.
std::string here();
template <class... Parts>
[[noreturn]] void fail_here(const Parts&... parts) {
  fail(parts..., here());
}

// The running thread waits for all others of its block. Returns for how many of them `vote` was true. `kind` and
// `where` must be the same for all.
int wait_for_block(const char* kind, bool vote, const Where& where);

// What the lanes of a warp do together. Each gives a pointer to its own part of the data; when all lanes of `mask` are
// there, `run` is called once with the pointers of all lanes (null: not in the mask), and then the lanes go on.
struct WarpOperation {
  const char* name;
  void (*run)(void* const (&lanes)[32]);
};
void run_with_warp(const WarpOperation& operation, unsigned mask, void* data, const Where& where);
int lane_index();

// Values of up to 64 bits, by their bits; `from`: the lane to read.
std::uint64_t shuffle(const char* name, unsigned mask, std::uint64_t value, int from, const Where& where);
// One bit a lane.
unsigned ballot(const char* name, unsigned mask, bool vote, const Where& where);

// Shared memory of the running block, NaN bytes at its start. `last_block` belongs to one type of static memory, behind
// whose `bytes` some more lie that the address sanitizer guards.
constexpr std::size_t shared_guard_bytes = 64;
void* dynamic_shared_memory(std::size_t bytes);
void begin_static_shared_memory(std::size_t& last_block, void* memory, std::size_t bytes);

// The asynchronous copies of the running thread; see cuda/ptx.cuh.
void record_copy(void* to, const void* from, std::size_t bytes, bool valid);
void commit_copy_group();
void run_copy_groups(int pending);

// Error if the emulated card is older than compute capability 8.0.
void check_has_tensor_cores(const char* instruction);

}  // namespace acol::cuda::emulation
