// Batch normalisation (S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015, section 3), channel by channel:
//
//   xhat = (x - mean) / sqrt(variance + epsilon),   y = gamma xhat + beta.
//
// In training mean and variance are those of x itself, so x reaches y by three ways; with N rows the sum of the three
// is
//   dx = gamma / sqrt(variance + epsilon) (dy - sum(dy) / N - xhat sum(dy xhat) / N).
// With running statistics they are constants, and only the first term is left.
#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/reference/array.h"

namespace acol::reference {

template <class T>
void batch_norm_statistics(std::int64_t rows, int channels, const T* x, T* mean, T* variance) {
  const Array2 X{x, channels};
  for (int c = 0; c < channels; ++c) {
    T sum = 0;
    for (std::int64_t row = 0; row < rows; ++row) sum += X(row, c);
    mean[c] = sum / static_cast<T>(rows);

    T squares = 0;
    for (std::int64_t row = 0; row < rows; ++row) squares += (X(row, c) - mean[c]) * (X(row, c) - mean[c]);
    variance[c] = squares / static_cast<T>(rows);
  }
}

template <class T>
void batch_norm_forward(std::int64_t rows, int channels, const T* x, const T* mean, const T* variance, const T* gamma,
                        const T* beta, T epsilon, T* y) {
  const Array2 X{x, channels};
  const Array2 Y{y, channels};
  for (std::int64_t row = 0; row < rows; ++row)
    for (int c = 0; c < channels; ++c)
      Y(row, c) = gamma[c] * (X(row, c) - mean[c]) / std::sqrt(variance[c] + epsilon) + beta[c];
}

template <class T>
void batch_norm_backward(std::int64_t rows, int channels, const T* x, const T* mean, const T* variance, const T* gamma,
                         T epsilon, bool through_statistics, const T* dy, T* dx, T* dgamma, T* dbeta) {
  const Array2 X{x, channels}, DY{dy, channels};
  const Array2 DX{dx, channels};
  const auto N = static_cast<T>(rows);
  for (int c = 0; c < channels; ++c) {
    const T deviation = std::sqrt(variance[c] + epsilon);
    const auto xhat = [&](std::int64_t row) { return (X(row, c) - mean[c]) / deviation; };

    T sum_dy = 0, sum_dy_xhat = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      sum_dy += DY(row, c);
      sum_dy_xhat += DY(row, c) * xhat(row);
    }
    if (dbeta != nullptr) dbeta[c] += sum_dy;
    if (dgamma != nullptr) dgamma[c] += sum_dy_xhat;

    if (dx == nullptr) continue;
    for (std::int64_t row = 0; row < rows; ++row) {
      T slope = DY(row, c);
      if (through_statistics) slope -= sum_dy / N + xhat(row) * sum_dy_xhat / N;
      DX(row, c) += gamma[c] / deviation * slope;
    }
  }
}

template <class T>
void move_average(std::int64_t count, double momentum, double factor, const T* x, T* average) {
  for (std::int64_t i = 0; i < count; ++i)
    average[i] = static_cast<T>((1 - momentum) * static_cast<double>(average[i]) +
                                momentum * factor * static_cast<double>(x[i]));
}

}  // namespace acol::reference
