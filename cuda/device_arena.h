// The card's memory as tensors and kernels take it: in pieces of large blocks, which stay with the process, so that a
// steady step asks the driver for nothing. Since all work goes through one stream, a piece may serve again as soon as
// it is given back.
#pragma once

#include <cstddef>
#include <mutex>

#include "tensor/free_pieces.h"
#include "tensor/memory.h"

namespace acol::cuda {

class DeviceArena {
 public:
  // At least `bytes`, 256-byte aligned. Error if the card has no more: what was asked, what is free, what to lower.
  std::byte* take(std::size_t bytes);
  void give_back(std::byte* memory, std::size_t bytes);

  MemoryUse use();
  void restart_peak();

 private:
  std::mutex mutex_;
  FreePieces free_;
  MemoryUse use_;  // all counted here; from the system: from the driver
};

}  // namespace acol::cuda
