// What all kernels of this folder share on the host's side: the device, its one stream, its memory, its errors.
//
// Every kernel and every copy goes into one stream, so that they run in the order of the calls; the host goes on
// meanwhile, and waits only where it reads a result. Memory that is given back can be taken again at once: who takes it
// queues behind who gave it.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace acol::cuda {

// Throws an Error that names `what` (a kernel or a step) and gives CUDA's reason.
void check_cuda(cudaError_t status, const char* what);

cudaStream_t stream();
// True with ACOL_CUDA_SYNC=1 in the environment: every launch is waited for, so that an error names its own kernel.
bool waits_after_each_launch();
// launch() tells each kernel that it starts.
void count_launch();

// Device memory for the duration of one call of a kernel's host function. 256-byte aligned, undetermined. Error: out of
// memory.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  void* memory_;
  std::size_t bytes_;
};

// A few numbers of the host's, such as labels, in device memory for the duration of one call.
template <class T>
class OnDevice {
 public:
  OnDevice(const T* host, std::int64_t count);
  const T* data() const { return scratch_.as<T>(); }

 private:
  Scratch scratch_;
};

// Waits for all work so far, then copies.
void copy_to_host(void* host, const void* device, std::size_t bytes);
// `host` may change as soon as this returns.
void copy_to_device(void* device, const void* host, std::size_t bytes);

template <class T>
OnDevice<T>::OnDevice(const T* host, std::int64_t count) : scratch_(static_cast<std::size_t>(count) * sizeof(T)) {
  copy_to_device(scratch_.as<T>(), host, static_cast<std::size_t>(count) * sizeof(T));
}

}  // namespace acol::cuda
