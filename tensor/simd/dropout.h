// Dropout: the random numbers, Philox4x32-10 of tensor/random.h, for several counters side by side.
#pragma once

namespace acol {

// Element i is kept if word i % 4 of philox4x32({counter + i / 4, purpose, step, layer}, seed), its upper 24 bits times
// 2^-24, is at least `rate`.
struct DropoutDraws {
  unsigned long long seed;
  unsigned counter, purpose, step, layer;
  float rate;
};

// y = or += keep ? x / (1 - rate) : 0, for the elements [0, count).
using DropoutKernel = void (*)(const DropoutDraws& draws, long count, const float* x, float* y, bool accumulate);

}  // namespace acol
