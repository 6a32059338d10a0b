// Softmax and cross-entropy of each row of logits z, with the row's maximum m subtracted so that exp can not overflow:
//
//   probability[k] = exp(z[k] - m) / sum_j exp(z[j] - m),
//   loss = -log probability[label] = log(sum_j exp(z[j] - m)) - (z[label] - m),
//   dz[k] += dloss (probability[k] - (k == label)).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace acol::reference {

template <class T>
void softmax_cross_entropy_forward(int rows, int classes, const T* logits, const int* labels, T* probability, T* loss) {
  for (int row = 0; row < rows; ++row) {
    const T* const z = logits + std::int64_t{row} * classes;
    T* const p = probability + std::int64_t{row} * classes;
    const T largest = *std::max_element(z, z + classes);

    T sum = 0;
    for (int k = 0; k < classes; ++k) sum += std::exp(z[k] - largest);
    for (int k = 0; k < classes; ++k) p[k] = std::exp(z[k] - largest) / sum;
    loss[row] = std::log(sum) - (z[labels[row]] - largest);
  }
}

template <class T>
void softmax_cross_entropy_backward(int rows, int classes, const T* probability, const int* labels, const T* dloss,
                                    T* dlogits) {
  for (int row = 0; row < rows; ++row)
    for (int k = 0; k < classes; ++k) {
      const std::int64_t i = std::int64_t{row} * classes + k;
      dlogits[i] += dloss[row] * (probability[i] - (k == labels[row] ? 1 : 0));
    }
}

}  // namespace acol::reference
