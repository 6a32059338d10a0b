#include "device_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>

#include "tensor/address_sanitizer.h"
#include "tensor/check.h"

namespace acol::cuda::emulation {

namespace {

constexpr std::size_t alignment = 256, page = 4096, large_page = std::size_t{2} << 20;
constexpr std::size_t reserved = std::size_t{256} << 30;

std::size_t rounded_up(std::size_t bytes, std::size_t step) { return (bytes + step - 1) / step * step; }

// Pieces of memory by address.
class Pieces {
 public:
  void add(const void* memory, std::size_t bytes) { end_of_[address(memory)] = address(memory) + bytes; }
  bool remove(const void* memory) { return end_of_.erase(address(memory)) == 1; }
  bool contain(const void* memory, std::size_t bytes) const {
    const auto after = end_of_.upper_bound(address(memory));
    return after != end_of_.begin() && address(memory) + bytes <= std::prev(after)->second &&
           address(memory) < std::prev(after)->second;
  }
  std::size_t size_of(const void* memory) const {
    const auto piece = end_of_.find(address(memory));
    return piece == end_of_.end() ? 0 : piece->second - piece->first;
  }
  // The lowest address from `begin` on with room for `bytes` and some that stay free on both sides.
  std::byte* first_fit(std::byte* begin, std::size_t bytes) const {
    std::uintptr_t at = address(begin);
    for (const auto& [start, end] : end_of_) {
      if (at + bytes + alignment <= start) break;
      at = rounded_up(end, alignment) + alignment;
    }
    return begin + (at - address(begin));
  }

 private:
  static std::uintptr_t address(const void* memory) { return reinterpret_cast<std::uintptr_t>(memory); }
  std::map<std::uintptr_t, std::uintptr_t> end_of_;
};

struct DeviceMemory {
  std::mutex mutex;
  Pieces pieces, managed;
  std::byte *begin = nullptr, *end = nullptr;  // pieces lie between them
  std::size_t used = 0;
  int users = 0;

  DeviceMemory() {
    void* const memory = mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(memory != MAP_FAILED, "emulation: no addresses for device memory");
    begin = end = reinterpret_cast<std::byte*>(rounded_up(reinterpret_cast<std::uintptr_t>(memory), large_page));
    madvise(begin, reserved - large_page, MADV_HUGEPAGE);  // fewer pages to open and close; fails where there are none
  }
  bool reserves(std::uintptr_t address) const { return address - reinterpret_cast<std::uintptr_t>(begin) < reserved; }
  void open() {
    if (users++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  void close() {
    if (--users == 0) protect(PROT_NONE);
  }
  void protect(int access) const {
    if (end > begin)
      check(mprotect(begin, static_cast<std::size_t>(end - begin), access) == 0, "emulation: mprotect failed");
  }
};

DeviceMemory& device() {
  static DeviceMemory& one = *new DeviceMemory;  // lives until the process ends
  return one;
}

}  // namespace

std::size_t device_memory_total() {
  const char* const megabytes = std::getenv("ACOL_EMULATED_MB");
  return megabytes == nullptr ? std::size_t{2048} << 20 : std::strtoull(megabytes, nullptr, 10) << 20;
}

std::size_t device_memory_free() {
  const std::lock_guard lock(device().mutex);
  return device_memory_total() > device().used ? device_memory_total() - device().used : 0;
}

void* take_device_memory(std::size_t bytes) {
  if (bytes > device_memory_free()) return nullptr;
  DeviceMemory& d = device();
  const std::lock_guard lock(d.mutex);
  std::byte* const memory = d.pieces.first_fit(d.begin, bytes);
  if (memory + bytes > d.begin + reserved - large_page) return nullptr;
  if (memory + bytes > d.end) {
    std::byte* const end = d.begin + rounded_up(static_cast<std::size_t>(memory - d.begin) + bytes, large_page);
    // With the address sanitizer, a kernel that leaves the pieces in use is reported.
    ASAN_POISON_MEMORY_REGION(d.end, static_cast<std::size_t>(end - d.end));
    d.end = end;
    if (d.users > 0) d.protect(PROT_READ | PROT_WRITE);  // a kernel of another thread runs
  }
  d.pieces.add(memory, bytes);
  d.used += bytes;
  ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
  d.open();
  std::memset(memory, 0xff, bytes);
  d.close();
  return memory;
}

bool give_back_device_memory(void* memory) {
  DeviceMemory& d = device();
  const std::lock_guard lock(d.mutex);
  const std::size_t bytes = d.pieces.size_of(memory);
  if (!d.pieces.remove(memory)) return false;
  d.used -= bytes;
  ASAN_POISON_MEMORY_REGION(memory, bytes);
  return true;
}

bool in_device_memory(const void* memory, std::size_t bytes) {
  const std::lock_guard lock(device().mutex);
  return device().pieces.contain(memory, bytes);
}

void* take_managed_memory(std::size_t bytes) {
  void* const memory = std::aligned_alloc(alignment, rounded_up(bytes, alignment));
  if (memory == nullptr) return nullptr;
  std::memset(memory, 0xff, bytes);
  const std::lock_guard lock(device().mutex);
  device().managed.add(memory, bytes);
  return memory;
}

bool give_back_managed_memory(void* memory) {
  const std::lock_guard lock(device().mutex);
  if (!device().managed.remove(memory)) return false;
  std::free(memory);
  return true;
}

bool in_managed_memory(const void* memory, std::size_t bytes) {
  const std::lock_guard lock(device().mutex);
  return device().managed.contain(memory, bytes);
}

bool usable_on_device(const void* memory) {
  return memory == nullptr || in_device_memory(memory, 0) || in_managed_memory(memory, 0);
}

bool holds_host_address([[maybe_unused]] const void* object, [[maybe_unused]] std::size_t bytes) {
#if !defined(ACOL_ADDRESS_SANITIZER) && !defined(__SANITIZE_THREAD__)
  for (std::size_t at = 0; at + sizeof(std::uintptr_t) <= bytes; at += sizeof(std::uintptr_t)) {
    std::uintptr_t word = 0;
    std::memcpy(&word, static_cast<const std::byte*>(object) + at, sizeof word);
    // Programs, heaps and stacks lie high up: small numbers and pairs of floats are no such addresses, nor is a small
    // number beside half an address that was left between the members.
    const std::uintptr_t low = word & 0xffffffffU;
    if (word >> 44 == 0 || word >> 47 != 0 || low < 0x01000000U || low >= 0xff000000U) continue;
    if (device().reserves(word) || usable_on_device(reinterpret_cast<void*>(word))) continue;
    unsigned char resident = 0;  // mincore() succeeds where memory is mapped
    if (mincore(reinterpret_cast<void*>(word / page * page), page, &resident) == 0) return true;
  }
#endif
  return false;
}

DeviceMemoryOpen::DeviceMemoryOpen() {
  const std::lock_guard lock(device().mutex);
  device().open();
}
DeviceMemoryOpen::~DeviceMemoryOpen() {
  const std::lock_guard lock(device().mutex);
  device().close();
}

}  // namespace acol::cuda::emulation
