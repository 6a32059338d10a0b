// What the running thread of a kernel calls: barriers, warp operations, shared memory, asynchronous copies. The thread
// notes what it waits for and pauses; scheduler.cpp decides when it goes on.
#include <cstring>

#include "machine.h"
#include "tensor/address_sanitizer.h"

namespace acol::cuda::emulation {

std::string place(const uint3& index) { return message("(", index.x, ", ", index.y, ", ", index.z, ")"); }
std::string place(const Where& where) {
  const std::string file = where.file;
  return message(file.substr(file.rfind('/') + 1), ":", where.line);
}
std::string here_of(const Thread& thread) {
  return message("; kernel ", machine.launch.name, ", block ", place(blockIdx), ", thread ", place(thread.index));
}
std::string here() { return here_of(*machine.running); }

bool same(const WarpOperation& a, const WarpOperation& b) {
  return a.run == b.run && (a.name == b.name || std::strcmp(a.name, b.name) == 0);
}

// ---------------------------------------------------------------------------------------------------------------------
// Waiting for others.

int wait_for_block(const char* kind, bool vote, const Where& where) {
  Thread& self = *machine.running;
  self.barrier = kind;
  self.where = where;
  machine.votes += vote ? 1 : 0;
  self.state = State::with_block;
  self.fiber.pause();
  return machine.last_votes;
}

int lane_index() { return machine.running->lane; }

// Carries out the operation that `last` is the last to wait in.
static void complete(const Thread& last) {
  void* lanes[32] = {};
  for (int lane = 0; lane < 32; ++lane) {
    if ((last.mask >> lane & 1U) == 0) continue;
    const Thread& other = machine.thread(32 * last.warp + lane);
    if (other.mask != last.mask || !same(other.operation, last.operation)) return;
    lanes[lane] = other.data;
  }
  last.operation.run(lanes);
  for (int lane = 0; lane < 32; ++lane)
    if (lanes[lane] != nullptr) machine.thread(32 * last.warp + lane).state = State::ready;
  machine.waiting_lanes[last.warp] &= ~last.mask;
}

void run_with_warp(const WarpOperation& operation, unsigned mask, void* data, const Where& where) {
  Thread& self = *machine.running;
  if ((mask >> self.lane & 1U) == 0)
    fail_here(operation.name, " at ", place(where), ": the mask ", mask, " leaves out the lane itself");
  self.operation = operation;
  self.mask = mask;
  self.data = data;
  self.where = where;
  self.state = State::with_warp;
  unsigned& waiting = machine.waiting_lanes[self.warp];
  waiting |= 1U << self.lane;
  if ((waiting & mask) == mask) complete(self);
  self.fiber.pause();
}

namespace {

struct Shuffle {
  std::uint64_t value;
  int from;
};

void run_shuffle(void* const (&lanes)[32]) {
  std::uint64_t values[32] = {};
  for (int lane = 0; lane < 32; ++lane)
    if (lanes[lane] != nullptr) values[lane] = static_cast<Shuffle*>(lanes[lane])->value;
  for (int lane = 0; lane < 32; ++lane) {
    if (lanes[lane] == nullptr) continue;
    auto& self = *static_cast<Shuffle*>(lanes[lane]);
    if (lanes[self.from] == nullptr)
      fail_here("shuffle: lane ", lane, " reads lane ", self.from, ", which the mask leaves out");
    self.value = values[self.from];
  }
}

struct Vote {
  bool yes;
  unsigned all;
};

void run_vote(void* const (&lanes)[32]) {
  unsigned all = 0;
  for (int lane = 0; lane < 32; ++lane)
    if (lanes[lane] != nullptr && static_cast<Vote*>(lanes[lane])->yes) all |= 1U << lane;
  for (void* const lane : lanes)
    if (lane != nullptr) static_cast<Vote*>(lane)->all = all;
}

}  // namespace

std::uint64_t shuffle(const char* name, unsigned mask, std::uint64_t value, int from, const Where& where) {
  Shuffle lane{value, from};
  run_with_warp({name, run_shuffle}, mask, &lane, where);
  return lane.value;
}

unsigned ballot(const char* name, unsigned mask, bool yes, const Where& where) {
  Vote vote{yes, 0};
  run_with_warp({name, run_vote}, mask, &vote, where);
  return vote.all;
}

// ---------------------------------------------------------------------------------------------------------------------
// Shared memory.

void* dynamic_shared_memory(std::size_t bytes) {
  if (bytes > machine.launch.shared_bytes)
    fail_here("dynamic_shared: ", bytes, " bytes, but the launch gives ", machine.launch.shared_bytes);
  return machine.dynamic_shared.data();
}

void begin_static_shared_memory(std::size_t& last_block, void* memory, std::size_t bytes) {
  if (last_block == machine.blocks) return;
  last_block = machine.blocks;
  std::memset(memory, 0xff, bytes);
  ASAN_POISON_MEMORY_REGION(static_cast<std::byte*>(memory) + bytes, shared_guard_bytes);
  machine.static_shared_bytes += bytes;
  const std::size_t all = machine.static_shared_bytes + machine.launch.shared_bytes;
  if (machine.static_shared_bytes > std::size_t{48} << 10)
    fail_here("shared: ", machine.static_shared_bytes, " bytes in all; at most 49152");
  if (all > machine.most_shared) fail_here("shared and dynamic_shared: ", all, " bytes; at most ", machine.most_shared);
}

// ---------------------------------------------------------------------------------------------------------------------
// Asynchronous copies. What is to be overwritten becomes NaN at once, and what it is overwritten with comes as late as
// the kernel allows: both a read too late and a read too early are seen.

void record_copy(void* to, const void* from, std::size_t bytes, bool valid) {
  check_has_tensor_cores("copy_async");
  const auto misaligned = [&](const void* memory) { return reinterpret_cast<std::uintptr_t>(memory) % bytes != 0; };
  if (misaligned(to) || (valid && misaligned(from)))
    fail_here("copy_async: ", bytes, " bytes that are not aligned to ", bytes);
  std::memset(to, 0xff, bytes);
  Thread& self = *machine.running;
  self.copies.push_back({to, from, bytes, valid, self.groups});
}

void commit_copy_group() { ++machine.running->groups; }

void run_copy_groups(int pending) {
  Thread& self = *machine.running;
  auto copy = self.copies.begin();
  for (; copy != self.copies.end() && copy->group < self.groups - pending; ++copy) {
    if (copy->valid)
      std::memcpy(copy->to, copy->from, copy->bytes);
    else
      std::memset(copy->to, 0, copy->bytes);
  }
  self.copies.erase(self.copies.begin(), copy);
}

void check_has_tensor_cores(const char* instruction) {
  if (machine.capability < 80)
    fail_here(instruction, ": needs compute capability 8.0, the card has ", machine.capability / 10, ".",
              machine.capability % 10);
}

}  // namespace acol::cuda::emulation
