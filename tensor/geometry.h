// Sizes of convolutions and pools, written once for every kernel.
//
// Output size (PyTorch's floor mode):  P = floor((H + 2 pad - dilation (R - 1) - 1) / stride) + 1.
// Output (p, q) at tap (r, s) reads the input at (p stride - pad + r dilation, q stride - pad + s dilation).
#pragma once

#include <cstdint>

#include "tensor/check.h"
#include "tensor/shape.h"

namespace acol {

// Number of places a window of `window` taps takes along an axis of `in` pixels.
constexpr int window_output_size(int in, int window, int stride, int pad, int dilation) {
  const int span = in + 2 * pad - dilation * (window - 1) - 1;
  return span < 0 ? 0 : span / stride + 1;
}

// x: (batch, in_h, in_w, in_c), w: (out_c, filter_h, filter_w, in_c), y: (batch, out_h(), out_w(), out_c).
struct Conv2dGeometry {
  int batch = 1, in_h = 1, in_w = 1, in_c = 1, out_c = 1;
  int filter_h = 1, filter_w = 1;
  int stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1;

  constexpr int out_h() const { return window_output_size(in_h, filter_h, stride_h, pad_h, dilation_h); }
  constexpr int out_w() const { return window_output_size(in_w, filter_w, stride_w, pad_w, dilation_w); }
  constexpr int taps() const { return filter_h * filter_w; }
  Shape x_shape() const { return {batch, in_h, in_w, in_c}; }
  Shape w_shape() const { return {out_c, filter_h, filter_w, in_c}; }
  Shape y_shape() const { return {batch, out_h(), out_w(), out_c}; }
  // Multiply-adds of one forward pass.
  std::int64_t macs() const { return y_shape().count() * taps() * in_c; }
};

// x: (batch, in_h, in_w, channels), y: (batch, out_h(), out_w(), channels). Windows have at most 256 taps, so that the
// winning tap of max pooling (r * window_w + s) fits a byte; pad is at most half the window, as in PyTorch.
struct Pool2dGeometry {
  int batch = 1, in_h = 1, in_w = 1, channels = 1;
  int window_h = 1, window_w = 1, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;

  constexpr int out_h() const { return window_output_size(in_h, window_h, stride_h, pad_h, 1); }
  constexpr int out_w() const { return window_output_size(in_w, window_w, stride_w, pad_w, 1); }
  Shape x_shape() const { return {batch, in_h, in_w, channels}; }
  Shape y_shape() const { return {batch, out_h(), out_w(), channels}; }
};

}  // namespace acol
