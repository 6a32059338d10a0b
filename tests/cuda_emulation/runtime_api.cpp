#include "runtime_api.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

using namespace acol::cuda::emulation;

namespace {

constexpr int runtime_version = 12000, old_driver_version = 11000;

int environment_number(const char* name, int otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

cudaError_t last_error = cudaSuccess;
cudaError_t ended_with(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

// What every call ends with that needs a card.
cudaError_t card() {
  const char* const driver = std::getenv("ACOL_EMULATED_DRIVER");
  if (driver != nullptr && std::strcmp(driver, "old") == 0) return ended_with(cudaErrorInsufficientDriver);
  return ended_with(environment_number("ACOL_EMULATED_DEVICES", 1) > 0 ? cudaSuccess : cudaErrorNoDevice);
}

struct ErrorName {
  cudaError_t error;
  const char *name, *meaning;
};
constexpr ErrorName error_names[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
};

// As the CUDA programming guide has it, table "Technical Specifications per Compute Capability".
std::size_t most_shared_memory(int capability) {
  const int kilobytes = capability < 80 ? 64 : capability == 80 || capability == 87 ? 163 : capability < 90 ? 99 : 227;
  return static_cast<std::size_t>(kilobytes) << 10;
}

using Clock = std::chrono::steady_clock;

// When each event was recorded, by the host's clock.
struct Recorded {
  std::mutex mutex;
  std::map<cudaEvent_t, Clock::time_point> at;
};
Recorded& recorded() {
  static Recorded& one = *new Recorded;
  return one;
}

// Streams and events are numbers.
template <class Handle>
cudaError_t new_handle(Handle* handle) {
  static std::uintptr_t handles = 0;
  *handle = reinterpret_cast<Handle>(++handles);
  return card();
}

}  // namespace

const char* cudaGetErrorName(cudaError_t error) {
  for (const ErrorName& each : error_names)
    if (each.error == error) return each.name;
  return "unrecognized error code";
}
const char* cudaGetErrorString(cudaError_t error) {
  for (const ErrorName& each : error_names)
    if (each.error == error) return each.meaning;
  return "unrecognized error code";
}
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = card() == cudaSuccess ? environment_number("ACOL_EMULATED_DEVICES", 1) : 0;
  return card();
}
cudaError_t cudaSetDevice(int device) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  return error != cudaSuccess || (device >= 0 && device < count) ? error : ended_with(cudaErrorInvalidDevice);
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return card();
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  const int capability = environment_number("ACOL_EMULATED_CAPABILITY", 90);
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "emulated card");
  properties->major = capability / 10;
  properties->minor = capability % 10;
  properties->multiProcessorCount = 4;
  properties->totalGlobalMem = device_memory_total();
  properties->sharedMemPerBlock = std::size_t{48} << 10;
  properties->sharedMemPerBlockOptin = most_shared_memory(capability);
  return cudaSetDevice(device);
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = card() == cudaErrorInsufficientDriver ? old_driver_version : runtime_version;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = runtime_version;
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() { return card(); }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return new_handle(stream); }
cudaError_t cudaStreamDestroy(cudaStream_t) { return card(); }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return card(); }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return card(); }
cudaError_t cudaEventCreate(cudaEvent_t* event) { return new_handle(event); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return new_handle(event); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::lock_guard lock(recorded().mutex);
  recorded().at.erase(event);
  return card();
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  const std::lock_guard lock(recorded().mutex);
  recorded().at[event] = Clock::now();
  return card();
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return card(); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  const std::lock_guard lock(recorded().mutex);
  const auto& at = recorded().at;
  const auto first = at.find(begin), last = at.find(end);
  if (first == at.end() || last == at.end()) return ended_with(cudaErrorInvalidValue);
  *milliseconds = std::chrono::duration<float, std::milli>(last->second - first->second).count();
  return card();
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = device_memory_free();
  *total = device_memory_total();
  return card();
}
cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  *memory = nullptr;
  if (const cudaError_t error = card(); error != cudaSuccess || bytes == 0) return error;
  *memory = take_device_memory(bytes);
  return ended_with(*memory != nullptr ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaMallocManaged(void** memory, std::size_t bytes) {
  *memory = nullptr;
  if (const cudaError_t error = card(); error != cudaSuccess) return error;
  *memory = take_managed_memory(bytes);
  return ended_with(*memory != nullptr ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void* memory) {
  if (memory == nullptr || give_back_device_memory(memory) || give_back_managed_memory(memory)) return card();
  return ended_with(cudaErrorInvalidValue);
}
cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  *memory = std::malloc(bytes);
  return card();
}
cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return card();
}

// A copy whose kind does not fit the pointers is refused.
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const auto fits = [&](const void* memory, bool device) {
    if (in_managed_memory(memory, bytes)) return true;
    const bool there = in_device_memory(memory, 0);
    return there ? (device || kind == cudaMemcpyDefault) && in_device_memory(memory, bytes)
                 : !device || kind == cudaMemcpyDefault;
  };
  if (const cudaError_t error = card(); error != cudaSuccess || bytes == 0) return error;
  if (!fits(to, kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice) ||
      !fits(from, kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice))
    return ended_with(cudaErrorInvalidValue);
  const DeviceMemoryOpen open;
  std::memmove(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  return cudaMemcpy(to, from, bytes, kind);
}
cudaError_t cudaMemset(void* memory, int value, std::size_t bytes) {
  if (const cudaError_t error = card(); error != cudaSuccess || bytes == 0) return error;
  if (!in_device_memory(memory, bytes) && !in_managed_memory(memory, bytes)) return ended_with(cudaErrorInvalidValue);
  const DeviceMemoryOpen open;
  std::memset(memory, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t) {
  return cudaMemset(memory, value, bytes);
}

cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int value) {
  cudaDeviceProp properties{};
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, 0); error != cudaSuccess) return error;
  const bool fits = value >= 0 && static_cast<std::size_t>(value) <= properties.sharedMemPerBlockOptin;
  return ended_with(fits ? cudaSuccess : cudaErrorInvalidValue);
}
