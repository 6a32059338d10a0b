// Runs the blocks of a kernel one after the other, and each thread of a block as a fiber.
//
// A block runs in sections: from its start to the first barrier, from barrier to barrier, and to its end. In a section
// one warp after the other runs until each of its lanes is at the barrier or has ended; a warp does so in rounds, and
// in a round each lane runs until it waits for its warp (a shuffle, a tensor-core instruction), for the block, or ends.
//
// On a card the threads of a section run in any order. A kernel that lacks a barrier may still be right in one order,
// so the order changes: forward in one section or round and backward in the next, and which one comes first changes
// from block to block and from launch to launch. ACOL_EMULATED_ORDER=forward, backward, shuffled or shuffled:SEED fixes
// it.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <mutex>
#include <numeric>
#include <utility>

#include "cuda_runtime.h"
#include "machine.h"

namespace acol::cuda::emulation {

namespace {

constexpr const char* alternating = "alternating";

void read_order() {
  const char* const variable = std::getenv("ACOL_EMULATED_ORDER");
  const std::string text = variable == nullptr ? alternating : variable;
  const std::size_t colon = std::min(text.find(':'), text.size());
  machine.order = text.substr(0, colon);
  check(machine.order == alternating || machine.order == "forward" || machine.order == "backward" ||
            machine.order == "shuffled",
        "ACOL_EMULATED_ORDER=", text, ": expected alternating, forward, backward, shuffled or shuffled:SEED");
  if (machine.order == "shuffled")
    machine.random.seed(static_cast<unsigned>(std::strtoul(text.c_str() + colon + (colon < text.size()), nullptr, 10)));
}

bool is_backward(std::size_t direction) {
  return machine.order == "backward" || (machine.order == alternating && direction % 2 == 1);
}

// body(i) for all i < count, in the order of `direction`.
template <class Body>
void in_order(int count, std::size_t direction, const Body& body) {
  if (machine.order == "shuffled") {
    std::vector<int> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), 0);
    std::shuffle(numbers.begin(), numbers.end(), machine.random);
    for (const int i : numbers) body(i);
  } else if (is_backward(direction)) {
    for (int i = count - 1; i >= 0; --i) body(i);
  } else {
    for (int i = 0; i < count; ++i) body(i);
  }
}

// The first function on a fiber's stack.
void run_thread(void* data) {
  Thread& thread = *static_cast<Thread*>(data);
  try {
    machine.launch.thread(machine.launch.arguments);
  } catch (...) {
    thread.error = std::current_exception();
  }
  thread.state = State::ended;
}

void resume(Thread& thread) {
  machine.running = &thread;
  threadIdx = thread.index;
  thread.fiber.resume();
  machine.running = nullptr;
  if (thread.error) std::rethrow_exception(std::exchange(thread.error, nullptr));
}

[[noreturn]] void fail_for_missing_lane(const Thread& waiting) {
  for (int lane = 0; lane < 32; ++lane) {
    if ((waiting.mask >> lane & 1U) == 0) continue;
    const std::string start =
        message(waiting.operation.name, " at ", place(waiting.where), ": lane ", lane, " of the mask ");
    if (lane >= machine.lanes(waiting.warp)) fail(start, "does not exist", here_of(waiting));
    const Thread& other = machine.thread(32 * waiting.warp + lane);
    if (other.state == State::ended) fail(start, "has ended", here_of(waiting));
    if (other.state == State::with_block)
      fail(start, "waits in ", other.barrier, " at ", place(other.where), here_of(waiting));
    if (!same(other.operation, waiting.operation) || other.mask != waiting.mask)
      fail(start, "waits in ", other.operation.name, " at ", place(other.where), ", mask ", other.mask, " for ",
           waiting.mask, here_of(waiting));
  }
  fail("emulation: a warp stands still", here_of(waiting));
}

// Until every lane waits for the block or has ended.
void run_warp(int warp) {
  bool ran = true;
  for (std::size_t round = machine.direction; ran; ++round) {
    ran = false;
    in_order(machine.lanes(warp), round, [&](int lane) {
      Thread& thread = machine.thread(32 * warp + lane);
      if (thread.state != State::ready) return;
      resume(thread);
      ran = true;
    });
  }
  for (int lane = 0; lane < machine.lanes(warp); ++lane)
    if (const Thread& thread = machine.thread(32 * warp + lane); thread.state == State::with_warp)
      fail_for_missing_lane(thread);
}

// Lets the threads go on into the next section. False if all have ended.
bool release_barrier() {
  const Thread *waiting = nullptr, *ended = nullptr;
  for (int i = 0; i < machine.block_threads; ++i) {
    const Thread& thread = machine.thread(i);
    if (thread.state == State::ended) {
      ended = &thread;
      continue;
    }
    if (waiting == nullptr) waiting = &thread;
    if (std::strcmp(waiting->barrier, thread.barrier) != 0 || waiting->where.line != thread.where.line ||
        std::strcmp(waiting->where.file, thread.where.file) != 0)
      fail(waiting->barrier, " at ", place(waiting->where), ": thread ", place(thread.index), " waits in ",
           thread.barrier, " at ", place(thread.where), here_of(*waiting));
  }
  if (waiting == nullptr) return false;
  if (ended != nullptr)
    fail(waiting->barrier, " at ", place(waiting->where), ": thread ", place(ended->index), " ended without it",
         here_of(*waiting));
  for (int i = 0; i < machine.block_threads; ++i) machine.thread(i).state = State::ready;
  machine.last_votes = std::exchange(machine.votes, 0);
  return true;
}

uint3 index_of(std::size_t number, const dim3& size) {
  return {static_cast<unsigned>(number % size.x), static_cast<unsigned>(number / size.x % size.y),
          static_cast<unsigned>(number / size.x / size.y)};
}

void run_block(std::size_t number) {
  blockIdx = index_of(number, machine.launch.blocks);
  ++machine.blocks;
  machine.static_shared_bytes = 0;
  machine.votes = 0;
  std::fill(std::begin(machine.waiting_lanes), std::end(machine.waiting_lanes), 0U);
  if (!machine.dynamic_shared.empty())
    std::memset(machine.dynamic_shared.data(), 0xff, machine.dynamic_shared.size() * sizeof(uint4));
  for (int i = 0; i < machine.block_threads; ++i) {
    Thread& thread = machine.thread(i);
    thread.index = index_of(static_cast<std::size_t>(i), machine.launch.threads);
    thread.lane = i % 32;
    thread.warp = i / 32;
    thread.state = State::ready;
    thread.copies.clear();
    thread.groups = 0;
    thread.fiber.start(run_thread, &thread);
  }
  machine.direction = number + machine.launches;
  do {
    in_order((machine.block_threads + 31) / 32, machine.direction, run_warp);
    ++machine.direction;
  } while (release_barrier());
}

}  // namespace

void run(const Launch& launch) {
  static std::mutex one_kernel_at_a_time;
  thread_local bool runs_kernel = false;
  check(!runs_kernel, launch.name, ": launched from within a kernel");
  const std::lock_guard lock(one_kernel_at_a_time);
  struct Mark {
    Mark() { runs_kernel = true; }
    ~Mark() { runs_kernel = false; }
  } const mark;
  cudaDeviceProp device{};
  if (const cudaError_t error = cudaGetDeviceProperties(&device, 0); error != cudaSuccess)
    fail(launch.name, ": ", cudaGetErrorString(error));
  const dim3 &blocks = launch.blocks, &threads = launch.threads;
  const std::size_t count = std::size_t{threads.x} * threads.y * threads.z;
  check(count >= 1 && count <= 1024 && threads.z <= 64, launch.name, ": a block of ", threads.x, " x ", threads.y,
        " x ", threads.z, " threads; it may have 1 to 1024");
  check(blocks.x <= 0x7fffffffU && blocks.y <= 0xffffU && blocks.z <= 0xffffU, launch.name, ": a grid of ", blocks.x,
        " x ", blocks.y, " x ", blocks.z, " blocks; at most 2147483647 x 65535 x 65535");
  check(launch.shared_bytes <= device.sharedMemPerBlockOptin, launch.name, ": ", launch.shared_bytes,
        " bytes of shared memory a block; at most ", device.sharedMemPerBlockOptin);
  read_order();
  machine.launch = launch;
  machine.capability = 10 * device.major + device.minor;
  machine.most_shared = device.sharedMemPerBlockOptin;
  machine.block_threads = static_cast<int>(count);
  while (machine.threads.size() < count) machine.threads.push_back(std::make_unique<Thread>(machine.threads.size()));
  machine.dynamic_shared.assign((launch.shared_bytes + sizeof(uint4) - 1) / sizeof(uint4), {});
  machine.dynamic_shared.shrink_to_fit();  // so that the address sanitizer sees its end
  blockDim = threads;
  gridDim = blocks;
  ++machine.launches;

  const DeviceMemoryOpen open;
  const std::size_t all = std::size_t{blocks.x} * blocks.y * blocks.z;
  const bool backward = is_backward(machine.launches);
  for (std::size_t i = 0; i < all; ++i) run_block(backward ? all - 1 - i : i);
}

}  // namespace acol::cuda::emulation
