// Memory that a kernel needs for a moment.
#pragma once

#include <sys/mman.h>

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
      memory_.reset();
      const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(float);
      memory_.reset(static_cast<float*>(::operator new(bytes, alignment)));
      if (bytes >= 1 << 20) madvise(memory_.get(), bytes, MADV_HUGEPAGE);
      capacity_ = count;
    }
    return memory_.get();
  }

 private:
  static constexpr std::align_val_t alignment{2 << 20};
  struct Release {
    void operator()(float* memory) const { ::operator delete(memory, alignment); }
  };
  std::unique_ptr<float, Release> memory_;
  std::int64_t capacity_ = 0;
};

}  // namespace acol
