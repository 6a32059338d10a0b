// The memory of tensors and of kernels' buffers: one arena for the whole process.
//
// An arena is one long range of addresses. It hands out pieces of it, joins those that come back with their free
// neighbours, and grows at its end only where no free piece is long enough; it is never given back to the system.
// Reasons:
//   - Memory fresh from the system costs a page fault at its first touch, 10 to 40 % of a training step if every tensor
//     is fresh. A step asks for the same sizes in the same order as the step before, so from the second or third on
//     all of it is there already.
//   - The process never holds much more than it needed at once, whatever the sizes: what a large activation leaves
//     behind serves several small gradients, and the other way round.
//   - In one range pages can be large ones (2 MB; Linux, where the system gives them): fewer misses of the address
//     cache, 3 to 5 % of a step.
// Blocks below `smallest_in_arena` come from operator new, as does everything where the system has no such ranges or
// refuses them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace acol {

struct DeviceMemory;

constexpr std::size_t smallest_in_arena = std::size_t{64} << 10;

// At least `bytes`, 64-byte aligned, with undetermined numbers; null if the system has no more. From any thread.
std::byte* take_memory(std::size_t bytes);
// `bytes`: as it was taken. From any thread.
void give_back_memory(std::byte* memory, std::size_t bytes);

// The same, given back when the last copy of the pointer goes; of a device, if one is given. Error if memory runs out.
std::shared_ptr<std::byte[]> shared_buffer(std::size_t bytes, const DeviceMemory* device = nullptr);

// Of all blocks of at least `smallest_in_arena`, or of all of a device's memory.
struct MemoryUse {
  std::int64_t allocations_from_system = 0;  // how often the process asked for more, since it started
  std::size_t bytes_in_use = 0;              // taken and not given back, rounded up to whole pages
  std::size_t peak_bytes_in_use = 0;         // the most so far, or since restart_memory_peak()
  std::size_t bytes_from_system = 0;         // in use or free: what the process holds
};
// Where the numbers of the device in use lie (tensor/device.h).
MemoryUse memory_use();
// The peak starts again from what is in use now.
void restart_memory_peak();

}  // namespace acol
