// The optimizer's kernels: the norm of a gradient, and one step of stochastic gradient descent as PyTorch writes it:
//
//   g = scale dw + decay w,   v = momentum v + g,   w -= rate (nesterov ? g + momentum v : v).
#pragma once

#include <cstdint>

namespace acol::reference {

template <class T>
void sums_of_squares(int arrays, const std::int64_t* counts, const T* const* x, double* sums) {
  for (int k = 0; k < arrays; ++k) {
    sums[k] = 0;
    for (std::int64_t i = 0; i < counts[k]; ++i) sums[k] += static_cast<double>(x[k][i]) * static_cast<double>(x[k][i]);
  }
}

template <class T>
void sgd_step(std::int64_t count, T rate, T momentum, T decay, bool nesterov, T scale, const T* dw, T* v, T* w) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = scale * dw[i] + decay * w[i];
    v[i] = momentum * v[i] + g;
    w[i] -= rate * (nesterov ? g + momentum * v[i] : v[i]);
  }
}

}  // namespace acol::reference
