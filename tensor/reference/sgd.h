// The optimizer's kernels: the norm of a gradient, and one step of stochastic gradient descent as PyTorch writes it:
//
//   g = scale dw + decay w,   v = momentum v + g,   w -= rate (nesterov ? g + momentum v : v).
#pragma once

#include <cstdint>

#include "tensor/kernels.h"

namespace acol::reference {

template <class T>
void sums_of_squares(int arrays, const std::int64_t* counts, const T* const* x, double* sums) {
  for (int k = 0; k < arrays; ++k) {
    sums[k] = 0;
    for (std::int64_t i = 0; i < counts[k]; ++i) sums[k] += static_cast<double>(x[k][i]) * static_cast<double>(x[k][i]);
  }
}

template <class T>
void sgd_step(int arrays, const SgdArray<T>* list, T momentum, bool nesterov, T scale) {
  for (int k = 0; k < arrays; ++k) {
    const auto& [count, rate, decay, dw, v, w] = list[k];
    for (std::int64_t i = 0; i < count; ++i) {
      const T g = scale * dw[i] + decay * w[i];
      v[i] = momentum * v[i] + g;
      w[i] -= rate * (nesterov ? g + momentum * v[i] : v[i]);
    }
  }
}

}  // namespace acol::reference
