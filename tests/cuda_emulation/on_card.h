// Small helpers of the emulation's tests.
#pragma once

#include <cuda_runtime.h>
#include <doctest/doctest.h>

#include <cstdlib>
#include <vector>

#include "cuda/launch.cuh"

namespace acol::testing {

// Numbers in device memory.
template <class T>
class OnCard {
 public:
  explicit OnCard(const std::vector<T>& numbers) : count_(numbers.size()) {
    REQUIRE(cudaMalloc(&data_, count_ * sizeof(T)) == cudaSuccess);
    REQUIRE(cudaMemcpy(data_, numbers.data(), count_ * sizeof(T), cudaMemcpyHostToDevice) == cudaSuccess);
  }
  ~OnCard() { cudaFree(data_); }
  OnCard(const OnCard&) = delete;
  OnCard& operator=(const OnCard&) = delete;

  T* data() const { return data_; }
  std::vector<T> read() const {
    std::vector<T> numbers(count_);
    REQUIRE(cudaMemcpy(numbers.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost) == cudaSuccess);
    return numbers;
  }

 private:
  T* data_ = nullptr;
  std::size_t count_;
};

// A variable of the environment while this lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Environment() { ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

// 0, step, 2 step, ...
inline std::vector<float> numbers(std::size_t count, float step = 1) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = step * static_cast<float>(i);
  return values;
}

// What `kernel` makes of `x`, in a block of as many threads, in each order.
inline std::vector<std::vector<float>> in_each_order(void (*kernel)(const float*, float*),
                                                     const std::vector<float>& x) {
  std::vector<std::vector<float>> results;
  for (const char* order : {"forward", "backward", "shuffled", "shuffled:7", "alternating", "alternating"}) {
    const Environment variable("ACOL_EMULATED_ORDER", order);
    const OnCard<float> input(x), output(x);
    cuda::launch("tried", kernel, {dim3(1), dim3(static_cast<unsigned>(x.size()))}, input.data(), output.data());
    results.push_back(output.read());
  }
  return results;
}

// One number for each thread of a block.
struct Sums {
  float at[1024];
};

}  // namespace acol::testing
