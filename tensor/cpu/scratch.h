// Memory that a kernel needs for a moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace acol {

// Memory of one thread that grows to the largest size asked for and stays, so that no call pays for fresh pages.
class Scratch {
 public:
  // Undetermined numbers, 64-byte aligned, valid until the next call.
  float* floats(std::int64_t count) {
    if (count > capacity_) {
      memory_.reset(static_cast<float*>(::operator new(static_cast<std::size_t>(count) * sizeof(float), alignment)));
      capacity_ = count;
    }
    return memory_.get();
  }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Release {
    void operator()(float* memory) const { ::operator delete(memory, alignment); }
  };
  std::unique_ptr<float, Release> memory_;
  std::int64_t capacity_ = 0;
};

}  // namespace acol
