// The innermost loops of the pools: one pixel, all its channels.
//
// What a pixel of the result is made of is a rectangle of pixels: those that a window sees, or the windows that see an
// input pixel. A pixel is `channels` numbers, and the pixels of a rectangle are taken in raster order.
#pragma once

namespace acol {

struct PixelRectangle {
  int rows, columns;
  long row_step, column_step;  // numbers from a pixel to the one below it, and to the next
  // The tap that joins the first pixel with the result, and what a step adds to it.
  int tap, tap_row_step, tap_column_step;
};

struct PoolKernels {
  // y[c] = the largest x[c], winner[c] = its tap: the first of equal ones, or the first NaN. At least one pixel.
  void (*largest)(const PixelRectangle& pixels, const float* x, int channels, float* y, unsigned char* winner);
  // dx[c] += dy[c] of every pixel whose winner[c] is its tap. dy and winner: the first pixel's.
  void (*add_won)(const PixelRectangle& pixels, const float* dy, const unsigned char* winner, int channels, float* dx);
  // y[c] = (0 + x[c] + ...) / size.
  void (*average)(const PixelRectangle& pixels, const float* x, int channels, float size, float* y);
  // y[c] += x[c] of every pixel.
  void (*add)(const PixelRectangle& pixels, const float* x, int channels, float* y);
};

}  // namespace acol
