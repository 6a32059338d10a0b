// Memory that a kernel needs for a moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "tensor/memory.h"

namespace acol {

// Numbers that live as long as this object. Large ones come from the arena and go back to it, so that no call pays for
// fresh pages, and what one kernel used serves the next. Small ones that a loop asks for again and again may be kept by
// each thread (static thread_local): they grow to the largest size asked for.
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { release(); }

  // Undetermined numbers, 64-byte aligned, valid until the next call.
  float* floats(std::int64_t count) {
    if (count > capacity_) {
      release();
      memory_ = take_memory(static_cast<std::size_t>(count) * sizeof(float));
      if (memory_ == nullptr) throw std::bad_alloc();
      capacity_ = count;
    }
    return reinterpret_cast<float*>(memory_);
  }

 private:
  void release() {
    if (memory_ != nullptr) give_back_memory(memory_, static_cast<std::size_t>(capacity_) * sizeof(float));
    memory_ = nullptr;
    capacity_ = 0;
  }

  std::byte* memory_ = nullptr;
  std::int64_t capacity_ = 0;
};

}  // namespace acol
