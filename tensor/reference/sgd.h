// The optimizer's kernels: the norm of a gradient, and one step of stochastic gradient descent as PyTorch writes it:
//
//   g = scale dw + decay w,   v = momentum v + g,   w -= rate (nesterov ? g + momentum v : v).
#pragma once

#include <cstdint>

namespace acol::reference {

template <class T>
double sum_of_squares(std::int64_t count, const T* x) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
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
