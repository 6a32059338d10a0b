// The state of the running kernel, for the emulation's own files.
#pragma once

#include <exception>
#include <memory>
#include <random>
#include <vector>

#include "execution.h"
#include "fiber.h"

namespace acol::cuda::emulation {

enum class State { ready, with_warp, with_block, ended };

struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
  bool valid;
  int group;
};

struct Thread {
  explicit Thread(std::size_t number) : fiber(number) {}

  Fiber fiber;
  uint3 index{};
  int lane = 0;
  int warp = 0;
  State state = State::ended;
  std::exception_ptr error;
  // What it waits in.
  const char* barrier = nullptr;
  WarpOperation operation{};
  unsigned mask = 0;
  void* data = nullptr;
  Where where;
  // Asynchronous copies that have not been carried out, and how many groups have been committed.
  std::vector<Copy> copies;
  int groups = 0;
};

struct Machine {
  Launch launch{};
  int capability = 0;                            // of the emulated card, 80 is 8.0
  std::size_t most_shared = 0;                   // bytes a block
  std::vector<std::unique_ptr<Thread>> threads;  // as many as the largest block so far
  int block_threads = 0;
  Thread* running = nullptr;
  unsigned waiting_lanes[32] = {};  // of each warp: who waits for it
  int votes = 0, last_votes = 0;    // of this barrier and of the last

  std::vector<uint4> dynamic_shared;
  std::size_t static_shared_bytes = 0;
  std::size_t blocks = 0, launches = 0;  // so far, in the process

  std::string order;          // ACOL_EMULATED_ORDER
  std::size_t direction = 0;  // its last bit: forward or backward
  std::mt19937 random;

  Thread& thread(int number) { return *threads[static_cast<std::size_t>(number)]; }
  int lanes(int warp) const { return block_threads - 32 * warp < 32 ? block_threads - 32 * warp : 32; }
};
inline Machine machine;

std::string place(const uint3& index);
std::string place(const Where& where);
std::string here_of(const Thread& thread);

bool same(const WarpOperation& a, const WarpOperation& b);

}  // namespace acol::cuda::emulation
