// Resizing of feature maps. Along an axis output pixel i has its centre at source coordinate
//
//   u = (i + 0.5) in / out - 0.5 = left + t,  left = floor(u),  0 <= t < 1,
// and is a weighted sum of the source pixels around it, clamped to the border:
//   bilinear:  left, left + 1 with weights 1 - t, t;
//   bicubic:   left - 1 .. left + 2 with weights k(1 + t), k(t), k(1 - t), k(2 - t), where k is the kernel of R. Keys,
//              "Cubic convolution interpolation", IEEE Trans. ASSP 29, 1981, with a = -0.75.
// A pixel of the plane is the sum over the products of vertical and horizontal weights; backward gives each source
// pixel the same weight times dy.
#pragma once

#include <algorithm>
#include <cmath>

#include "tensor/kernels.h"
#include "tensor/reference/array.h"

namespace acol::reference {

inline double keys_kernel(double distance) {
  constexpr double a = -0.75;
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((d - 5) * d + 8) * d * a - 4 * a;
  return 0;
}

// Calls body(source pixel, weight) for the taps of output pixel i along one axis.
template <class Body>
void for_each_tap(Interpolation interpolation, int in, int out, int i, const Body& body) {
  const double u = (i + 0.5) * in / out - 0.5;
  const auto left = static_cast<int>(std::floor(u));
  const int first = interpolation == Interpolation::bilinear ? left : left - 1;
  const int last = interpolation == Interpolation::bilinear ? left + 1 : left + 2;
  for (int tap = first; tap <= last; ++tap) {
    const double weight = interpolation == Interpolation::bilinear ? 1 - std::abs(u - tap) : keys_kernel(u - tap);
    body(std::clamp(tap, 0, in - 1), weight);
  }
}

// Calls body(n, p, q, h, w, weight) for every output pixel and each source pixel that it is made of.
template <class Body>
void for_each_tap(const ResizeGeometry& g, const Body& body) {
  for (int n = 0; n < g.batch; ++n)
    for (int p = 0; p < g.out_h; ++p)
      for (int q = 0; q < g.out_w; ++q)
        for_each_tap(g.interpolation, g.in_h, g.out_h, p, [&](int h, double vertical) {
          for_each_tap(g.interpolation, g.in_w, g.out_w, q,
                       [&](int w, double horizontal) { body(n, p, q, h, w, vertical * horizontal); });
        });
}

template <class T>
void resize_forward(const ResizeGeometry& g, const T* x, T* y) {
  const Array4 X{x, g.in_h, g.in_w, g.channels};
  const Array4 Y{y, g.out_h, g.out_w, g.channels};
  std::fill_n(y, std::int64_t{g.batch} * g.out_h * g.out_w * g.channels, T{0});
  for_each_tap(g, [&](int n, int p, int q, int h, int w, double weight) {
    for (int c = 0; c < g.channels; ++c) Y(n, p, q, c) += static_cast<T>(weight) * X(n, h, w, c);
  });
}

template <class T>
void resize_backward(const ResizeGeometry& g, const T* dy, T* dx) {
  const Array4 DX{dx, g.in_h, g.in_w, g.channels};
  const Array4 DY{dy, g.out_h, g.out_w, g.channels};
  for_each_tap(g, [&](int n, int p, int q, int h, int w, double weight) {
    for (int c = 0; c < g.channels; ++c) DX(n, h, w, c) += static_cast<T>(weight) * DY(n, p, q, c);
  });
}

}  // namespace acol::reference
