// Pooling: each output looks through a window at one channel of the input.
//
//   max:      y = the largest x of the window;              dx[the winner]   += dy
//   average:  y = sum of the window's x / size;             dx[each of them] += dy / size
//   global:   y[n,c] = mean over all pixels of x[n,.,c];    dx[n,.,c]        += dy[n,c] / pixels
// Padding is never a maximum and adds 0 to a sum.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "tensor/geometry.h"
#include "tensor/reference/array.h"

namespace acol::reference {

// Calls body(n, p, q, c) for every output.
template <class Body>
void for_each_output(const Pool2dGeometry& g, const Body& body) {
  for (int n = 0; n < g.batch; ++n)
    for (int p = 0; p < g.out_h(); ++p)
      for (int q = 0; q < g.out_w(); ++q)
        for (int c = 0; c < g.channels; ++c) body(n, p, q, c);
}

// Calls body(h, w, tap) for the taps of window (p, q) that lie inside the image, in raster order; tap = r window_w + s.
template <class Body>
void for_each_tap(const Pool2dGeometry& g, int p, int q, const Body& body) {
  for (int r = 0; r < g.window_h; ++r)
    for (int s = 0; s < g.window_w; ++s) {
      const int h = p * g.stride_h - g.pad_h + r, w = q * g.stride_w - g.pad_w + s;
      if (h >= 0 && h < g.in_h && w >= 0 && w < g.in_w) body(h, w, r * g.window_w + s);
    }
}

template <class T>
void max_pool_forward(const Pool2dGeometry& g, const T* x, T* y, std::uint8_t* winner) {
  const Array4 X{x, g.in_h, g.in_w, g.channels};
  const Array4 Y{y, g.out_h(), g.out_w(), g.channels};
  const Array4 Winner{winner, g.out_h(), g.out_w(), g.channels};

  for_each_output(g, [&](int n, int p, int q, int c) {
    bool first = true;
    for_each_tap(g, p, q, [&](int h, int w, int tap) {
      const T value = X(n, h, w, c);
      T& best = Y(n, p, q, c);
      // A later value must be larger, or the first NaN.
      if (first || value > best || (std::isnan(value) && !std::isnan(best))) {
        best = value;
        Winner(n, p, q, c) = static_cast<std::uint8_t>(tap);
      }
      first = false;
    });
  });
}

template <class T>
void max_pool_backward(const Pool2dGeometry& g, const T* dy, const std::uint8_t* winner, T* dx) {
  const Array4 DX{dx, g.in_h, g.in_w, g.channels};
  const Array4 DY{dy, g.out_h(), g.out_w(), g.channels};
  const Array4 Winner{winner, g.out_h(), g.out_w(), g.channels};

  for_each_output(g, [&](int n, int p, int q, int c) {
    const int r = Winner(n, p, q, c) / g.window_w, s = Winner(n, p, q, c) % g.window_w;
    DX(n, p * g.stride_h - g.pad_h + r, q * g.stride_w - g.pad_w + s, c) += DY(n, p, q, c);
  });
}

// By how much the sum over window (p, q) is divided.
inline int avg_pool_size(const Pool2dGeometry& g, bool count_padding, int p, int q) {
  int size = 0;
  for (int r = 0; r < g.window_h; ++r)
    for (int s = 0; s < g.window_w; ++s) {
      const int h = p * g.stride_h - g.pad_h + r, w = q * g.stride_w - g.pad_w + s;
      const int pad_h = count_padding ? g.pad_h : 0, pad_w = count_padding ? g.pad_w : 0;
      if (h >= -pad_h && h < g.in_h + pad_h && w >= -pad_w && w < g.in_w + pad_w) ++size;
    }
  return size;
}

template <class T>
void avg_pool_forward(const Pool2dGeometry& g, bool count_padding, const T* x, T* y) {
  const Array4 X{x, g.in_h, g.in_w, g.channels};
  const Array4 Y{y, g.out_h(), g.out_w(), g.channels};

  for_each_output(g, [&](int n, int p, int q, int c) {
    T sum = 0;
    for_each_tap(g, p, q, [&](int h, int w, int) { sum += X(n, h, w, c); });
    Y(n, p, q, c) = sum / static_cast<T>(avg_pool_size(g, count_padding, p, q));
  });
}

template <class T>
void avg_pool_backward(const Pool2dGeometry& g, bool count_padding, const T* dy, T* dx) {
  const Array4 DX{dx, g.in_h, g.in_w, g.channels};
  const Array4 DY{dy, g.out_h(), g.out_w(), g.channels};

  for_each_output(g, [&](int n, int p, int q, int c) {
    const T share = DY(n, p, q, c) / static_cast<T>(avg_pool_size(g, count_padding, p, q));
    for_each_tap(g, p, q, [&](int h, int w, int) { DX(n, h, w, c) += share; });
  });
}

template <class T>
void global_avg_pool_forward(int batch, int pixels, int channels, const T* x, T* y) {
  const Array3 X{x, pixels, channels};
  const Array2 Y{y, channels};
  for (int n = 0; n < batch; ++n)
    for (int c = 0; c < channels; ++c) {
      T sum = 0;
      for (int pixel = 0; pixel < pixels; ++pixel) sum += X(n, pixel, c);
      Y(n, c) = sum / static_cast<T>(pixels);
    }
}

template <class T>
void global_avg_pool_backward(int batch, int pixels, int channels, const T* dy, T* dx) {
  const Array3 DX{dx, pixels, channels};
  const Array2 DY{dy, channels};
  for (int n = 0; n < batch; ++n)
    for (int pixel = 0; pixel < pixels; ++pixel)
      for (int c = 0; c < channels; ++c) DX(n, pixel, c) += DY(n, c) / static_cast<T>(pixels);
}

}  // namespace acol::reference
