// Dropout (N. Srivastava and others, JMLR 15, 2014), scaled in training so that the test needs no factor:
//
//   y = keep x / (1 - rate),   dx += keep dy / (1 - rate),   keep = 1 with probability 1 - rate, else 0.
// Whether element i is kept is a function of (seed, step, layer, i), so backward draws the same again.
#pragma once

#include <cstdint>

#include "tensor/random.h"

namespace acol::reference {

inline bool dropout_keeps(std::int64_t i, double rate, std::uint64_t seed, std::uint32_t step, std::uint32_t layer) {
  const auto words =
      philox4x32({static_cast<std::uint32_t>(i / 4), static_cast<std::uint32_t>(Purpose::dropout), step, layer}, seed);
  return (words[static_cast<std::size_t>(i % 4)] >> 8) * 0x1p-24 >= rate;
}

template <class T>
void dropout_forward(std::int64_t count, T rate, std::uint64_t seed, std::uint32_t step, std::uint32_t layer,
                     const T* x, T* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = dropout_keeps(i, rate, seed, step, layer) ? x[i] / (1 - rate) : T{0};
}

template <class T>
void dropout_backward(std::int64_t count, T rate, std::uint64_t seed, std::uint32_t step, std::uint32_t layer,
                      const T* dy, T* dx) {
  for (std::int64_t i = 0; i < count; ++i)
    if (dropout_keeps(i, rate, seed, step, layer)) dx[i] += dy[i] / (1 - rate);
}

}  // namespace acol::reference
