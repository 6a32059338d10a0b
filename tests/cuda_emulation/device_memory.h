// The emulated card's memory: one range of addresses, reserved without access. This process can touch what has been
// handed out of it only while a kernel or a copy runs; the host's code that follows a device pointer crashes, as beside
// a real card.
#pragma once

#include <cstddef>

namespace acol::cuda::emulation {

std::size_t device_memory_total();  // ACOL_EMULATED_MB
std::size_t device_memory_free();
// NaN bytes, 256-byte aligned; null if there is no more.
void* take_device_memory(std::size_t bytes);
// False if it was not taken.
bool give_back_device_memory(void* memory);
// True if [memory, memory + bytes) lies in one piece that is taken.
bool in_device_memory(const void* memory, std::size_t bytes);

// Managed memory is the host's memory.
void* take_managed_memory(std::size_t bytes);
bool give_back_managed_memory(void* memory);
bool in_managed_memory(const void* memory, std::size_t bytes);

// What a kernel may follow: null, device memory, managed memory.
bool usable_on_device(const void* memory);
// True if some 8 bytes of `object` are the address of host memory. (The sanitizers' own memory is everywhere in the
// range of addresses: false with them.)
bool holds_host_address(const void* object, std::size_t bytes);

// While one lives, this process may touch device memory.
class DeviceMemoryOpen {
 public:
  DeviceMemoryOpen();
  ~DeviceMemoryOpen();
  DeviceMemoryOpen(const DeviceMemoryOpen&) = delete;
  DeviceMemoryOpen& operator=(const DeviceMemoryOpen&) = delete;
};

}  // namespace acol::cuda::emulation
