// Where float32 operations run, and where their numbers lie.
//
// The reference and the CPU work on ordinary memory. A card has memory of its own, which only its kernels and its
// copies may touch: float32 and bfloat16 tensors made while it is in use lie there, and Tensor::to_host() brings them
// back. float64 always lies in ordinary memory and runs on the reference. One process uses one device: choose it before
// the first tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tensor/bf16.h"
#include "tensor/memory.h"

namespace acol {

enum class Device : std::uint8_t { reference, cpu, cuda };

const char* name_of(Device device);
// "cpu", "cuda" or "reference"; an Error otherwise.
Device parse_device(const std::string& name);

// The device that float32 operations run on; cpu at the start. Error, in one sentence: cuda cannot be used (the program
// was built without it, there is no card, the driver is too old).
void use_device(Device device);
Device device_in_use();

// What convolutions on a card do to the factors of each product; sums are float32. The CPU and the reference know fp32
// only.
enum class Precision : std::uint8_t {
  fp32,  // as exact as float32 arithmetic
  tf32,  // rounded to 11 significant bits
  bf16,  // rounded to 8, and a network's activations and their gradients are kept so in memory (Bf16); its parameters,
         // their gradients, statistics, logits and losses stay float32
};

const char* name_of(Precision precision);
Precision parse_precision(const std::string& name);  // Error: none of these
// fp32 at the start.
void use_precision(Precision precision);
Precision precision_in_use();

// Memory of a device's own. Copies and kernels run in the order of the calls; what takes or gives numbers of the host
// returns when those have been read or written.
struct DeviceMemory {
  // At least `bytes`, 256-byte aligned, with undetermined numbers. Error if there is not so much left.
  std::byte* (*take)(std::size_t bytes);
  // `bytes`: as it was taken. From any thread.
  void (*give_back)(std::byte* memory, std::size_t bytes);
  void (*copy_in)(void* device, const void* host, std::size_t bytes);
  void (*copy_out)(void* host, const void* device, std::size_t bytes);
  void (*copy_within)(void* to, const void* from, std::size_t bytes);
  void (*clear)(void* device, std::size_t bytes);  // to zeros
  // A network's input from the bytes of pictures, while other threads' work goes on: numbers[i, c] = (rgb[i, c] / 255 -
  // mean[c]) / std[c] for three channels, with the CPU's roundings. There when it returns. From any thread.
  void (*upload_pictures)(float* numbers, const std::uint8_t* rgb, std::int64_t pixels, const float* mean,
                          const float* std);
  MemoryUse (*use)();
  void (*restart_peak)();
  // Waits for all work.
  void (*wait)();
  // Calls run() `runs` times without waiting in between. Milliseconds of each by the device's clock: from the end of
  // all work before it to the end of its own.
  std::vector<double> (*time_runs)(int runs, const std::function<void()>& run);
  // Kernels started so far, copies not counted.
  std::int64_t (*launches)();
  // Memory that the host and the device may both touch, slowly: for tests of kernels.
  std::byte* (*take_shared)(std::size_t bytes);
  void (*give_back_shared)(std::byte* memory);
  // What it is, in words: the card, its memory, the versions of driver and runtime.
  std::string (*describe)();
};

// That of the device in use; null if its numbers lie in ordinary memory.
const DeviceMemory* device_memory();

template <class T>
struct Kernels;

// What cuda/ gives: it is defined there, or in cuda/unavailable.cpp where it was not built.
struct CudaBackend {
  const Kernels<float>* kernels = nullptr;
  const Kernels<Bf16>* kernels_bf16 = nullptr;
  const DeviceMemory* memory = nullptr;
};
// Error as for use_device(Device::cuda).
const CudaBackend& cuda_backend();

}  // namespace acol
