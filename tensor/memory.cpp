#include "tensor/memory.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>

#include "tensor/address_sanitizer.h"
#include "tensor/check.h"
#include "tensor/device.h"
#include "tensor/free_pieces.h"

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#include <unistd.h>
#define ACOL_HAVE_ADDRESS_RANGES
#endif

namespace acol {

namespace {

constexpr std::align_val_t alignment{64};
constexpr std::size_t page = 4096, large_page = std::size_t{2} << 20;

// The address sanitizer sees a use before or after a block's life, or beyond its end, only if it is told.
#ifdef ACOL_ADDRESS_SANITIZER
constexpr std::size_t guard_bytes = page;
#else
constexpr std::size_t guard_bytes = 0;
#endif
void forbid([[maybe_unused]] const std::byte* memory, [[maybe_unused]] std::size_t bytes) {
  ASAN_POISON_MEMORY_REGION(memory, bytes);
}
void allow([[maybe_unused]] const std::byte* memory, [[maybe_unused]] std::size_t bytes) {
  ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
}

std::size_t rounded_up(std::size_t bytes, std::size_t step) { return (bytes + step - 1) / step * step; }

std::byte* new_block(std::size_t bytes) {
  return static_cast<std::byte*>(::operator new(std::max<std::size_t>(1, bytes), alignment, std::nothrow));
}
void delete_block(std::byte* memory) { ::operator delete(memory, alignment); }

// Addresses [begin, end) that belong to this process and have no memory behind them yet.
struct Range {
  std::byte *begin = nullptr, *end = nullptr;
  bool contains(const std::byte* memory) const { return memory >= begin && memory < end; }
};

#ifdef ACOL_HAVE_ADDRESS_RANGES
// Twice the machine's memory: addresses cost nothing, and tensors beyond that could not be filled anyway.
Range reserved_range() {
  const auto machine =
      static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t size = rounded_up(2 * machine, large_page) + large_page;
  void* const memory = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return {};
  auto* const begin = static_cast<std::byte*>(memory);
  const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(begin) % large_page;
  const Range range{begin + (misaligned == 0 ? 0 : large_page - misaligned), begin + size / large_page * large_page};
#ifdef MADV_HUGEPAGE
  madvise(range.begin, static_cast<std::size_t>(range.end - range.begin), MADV_HUGEPAGE);  // fails where there are none
#endif
  return range;
}

bool make_usable(std::byte* memory, std::size_t bytes) { return mprotect(memory, bytes, PROT_READ | PROT_WRITE) == 0; }
#else
Range reserved_range() { return {}; }
bool make_usable(std::byte*, std::size_t) { return false; }
#endif

class Arena {
 public:
  Arena() : range_(reserved_range()), grown_(range_.begin) {}

  std::byte* take(std::size_t bytes) {
    if (bytes < smallest_in_arena) return new_block(bytes);
    const std::size_t size = rounded_up(bytes, page) + guard_bytes;
    const std::lock_guard lock(mutex_);
    std::byte* const memory = from_range(size);
    if (memory != nullptr) allow(memory, bytes);
    return memory != nullptr ? memory : from_outside(size);
  }

  void give_back(std::byte* memory, std::size_t bytes) {
    if (bytes < smallest_in_arena) return delete_block(memory);
    const std::size_t size = rounded_up(bytes, page) + guard_bytes;
    const std::lock_guard lock(mutex_);
    use_.bytes_in_use -= size;
    if (range_.contains(memory)) {
      forbid(memory, bytes);
      free_.give_back(memory, size);
    } else {
      use_.bytes_from_system -= size;
      delete_block(memory);
    }
  }

  MemoryUse use() {
    const std::lock_guard lock(mutex_);
    return use_;
  }
  void restart_peak() {
    const std::lock_guard lock(mutex_);
    use_.peak_bytes_in_use = use_.bytes_in_use;
  }

 private:
  std::byte* from_range(std::size_t size) {
    std::byte* memory = free_.take(size);
    if (memory == nullptr && grow(size)) memory = free_.take(size);
    if (memory != nullptr) count_taken(size);
    return memory;
  }

  // What the range cannot hold. Not kept when it comes back.
  std::byte* from_outside(std::size_t size) {
    std::byte* const memory = new_block(size);
    if (memory == nullptr) return nullptr;
    ++use_.allocations_from_system;
    use_.bytes_from_system += size;
    count_taken(size);
    return memory;
  }

  void count_taken(std::size_t size) {
    use_.bytes_in_use += size;
    use_.peak_bytes_in_use = std::max(use_.peak_bytes_in_use, use_.bytes_in_use);
  }

  // Makes a free piece of at least `size` at the end of what has grown so far.
  bool grow(std::size_t size) {
    size -= free_.length_before(grown_);
    const std::size_t more = rounded_up(size, large_page);
    if (more > static_cast<std::size_t>(range_.end - grown_) || !make_usable(grown_, more)) return false;
    forbid(grown_, more);
    free_.give_back(std::exchange(grown_, grown_ + more), more);
    ++use_.allocations_from_system;
    use_.bytes_from_system += more;
    return true;
  }

  std::mutex mutex_;
  const Range range_;
  std::byte* grown_;  // memory up to here
  FreePieces free_;
  MemoryUse use_;
};

// Lives until the process ends, since tensors may be static.
Arena& arena() {
  static Arena& one = *new Arena;
  return one;
}

}  // namespace

std::byte* take_memory(std::size_t bytes) { return arena().take(bytes); }
void give_back_memory(std::byte* memory, std::size_t bytes) { arena().give_back(memory, bytes); }

std::shared_ptr<std::byte[]> shared_buffer(std::size_t bytes, const DeviceMemory* device) {
  if (device != nullptr)
    return {device->take(bytes), [device, bytes](std::byte* pointer) { device->give_back(pointer, bytes); }};
  std::byte* const memory = take_memory(bytes);
  check(memory != nullptr, "out of memory: ", bytes >> 20,
        " MB asked for one tensor; lower --batch-size, --micro-batch or --crop, or train with --memory lean");
  return {memory, [bytes](std::byte* pointer) { give_back_memory(pointer, bytes); }};
}

MemoryUse memory_use() {
  const DeviceMemory* const device = device_memory();
  return device != nullptr ? device->use() : arena().use();
}
void restart_memory_peak() {
  const DeviceMemory* const device = device_memory();
  device != nullptr ? device->restart_peak() : arena().restart_peak();
}

}  // namespace acol
