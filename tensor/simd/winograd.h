// The five linear transforms of Winograd's convolution F(m x m, 3 x 3), formulas in winograd.inl. A tile has m x m
// outputs and (m + 2) x (m + 2) inputs, and as many numbers in the transformed domain, written [xi] below.
//
// Pixels are given as pointers, one a pixel in raster order, each to the first of `channels` numbers: what lies outside
// the picture points at zeros (inputs) or at memory that nobody reads (outputs).
#pragma once

namespace acol {

struct WinogradTransforms {
  int outputs;  // m

  // v[xi * stride + c / 16 * block + c % 16] = (B^T d B)[xi], d: the (m+2)^2 input pixels. With `mask`, as many pixels,
  // d counts as 0 where the mask is not above 0: the gradient of a ReLU whose output the mask is.
  void (*input)(const float* const* pixels, const float* const* mask, int channels, float* v, long block, long stride);

  // pixels[i][c] = or += (A^T m A)[i] + bias[c], then max(., 0) if relu. m[xi * stride + c], bias may be null.
  void (*output)(const float* m, long stride, int channels, const float* bias, bool relu, bool accumulate,
                 float* const* pixels);

  // u[xi * stride + row * columns + j] = (G g G^T)[xi], g[tap] = w[row * row_stride + tap * tap_stride + j], for the
  // rows [0, rows) and j in [0, columns). flipped: taps from the last to the first.
  void (*filter)(const float* w, long row_stride, long tap_stride, int rows, int columns, bool flipped, float* u,
                 long stride);

  // e[xi * stride + c / 16 * block + c % 16] = (A dy A^T)[xi], dy: the m^2 output pixels, masked as in `input`.
  void (*output_gradient)(const float* const* pixels, const float* const* mask, int channels, float* e, long block,
                          long stride);

  // dw[tap * tap_stride + c] += (G^T du G)[tap], du[xi * stride + c].
  void (*filter_gradient)(const float* du, long stride, int channels, float* dw, long tap_stride);
};

}  // namespace acol
