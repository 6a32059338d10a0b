// Adversarial erasing (X. Zhang and others, "Adversarial complementary learning", CVPR 2018, section 3.2): where branch
// A already sees the object, branch B gets zeros.
//
//   heat = (map - min) / (max - min) over the pixels of the label's map,   y = heat >= threshold ? 0 : x.
// Backward passes dy where x was kept. The map only decides, as a constant: no gradient goes into it. It is the label's
// channel of a 1x1 convolution, and class_map makes that one alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "tensor/reference/array.h"

namespace acol::reference {

template <class T>
void class_map(int batch, int pixels, int channels, const T* x, const T* w, const T* bias, const int* labels, T* map) {
  const Array3 X{x, pixels, channels};
  const Array2 W{w, channels};
  const Array2 Map{map, pixels};
  for (int n = 0; n < batch; ++n)
    for (int pixel = 0; pixel < pixels; ++pixel) {
      T sum = bias == nullptr ? T{0} : bias[labels[n]];
      for (int c = 0; c < channels; ++c) sum += X(n, pixel, c) * W(labels[n], c);
      Map(n, pixel) = sum;
    }
}

template <class T>
void normalized_map(int batch, int pixels, int classes, const T* maps, const int* labels, T* heat) {
  const Array3 Map{maps, pixels, classes};
  const Array2 Heat{heat, pixels};
  for (int n = 0; n < batch; ++n) {
    // In double, so that no range of two floats overflows and no difference of two vanishes.
    double low = static_cast<double>(Map(n, 0, labels[n])), high = low;
    bool finite = true;
    for (int pixel = 0; pixel < pixels; ++pixel) {
      const auto value = static_cast<double>(Map(n, pixel, labels[n]));
      low = std::min(low, value);
      high = std::max(high, value);
      finite = finite && std::isfinite(value);
    }
    const bool usable = finite && low < high;
    for (int pixel = 0; pixel < pixels; ++pixel)
      Heat(n, pixel) =
          usable ? static_cast<T>((static_cast<double>(Map(n, pixel, labels[n])) - low) / (high - low)) : T{0};
  }
}

template <class T>
void erase_forward(int batch, int pixels, int channels, const T* x, const T* heat, T threshold, T* y) {
  const Array3 X{x, pixels, channels};
  const Array3 Y{y, pixels, channels};
  const Array2 Heat{heat, pixels};
  for (int n = 0; n < batch; ++n)
    for (int pixel = 0; pixel < pixels; ++pixel)
      for (int c = 0; c < channels; ++c) Y(n, pixel, c) = Heat(n, pixel) >= threshold ? T{0} : X(n, pixel, c);
}

template <class T>
void erase_backward(int batch, int pixels, int channels, const T* heat, T threshold, const T* dy, T* dx) {
  const Array3 DX{dx, pixels, channels};
  const Array3 DY{dy, pixels, channels};
  const Array2 Heat{heat, pixels};
  for (int n = 0; n < batch; ++n)
    for (int pixel = 0; pixel < pixels; ++pixel)
      for (int c = 0; c < channels; ++c)
        if (!(Heat(n, pixel) >= threshold)) DX(n, pixel, c) += DY(n, pixel, c);
}

}  // namespace acol::reference
