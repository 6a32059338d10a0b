// Convolution of one row of a picture with few channels. The filter's rows of the picture lie side by side, all numbers
// of a column together, so that what an output pixel sees is one run of `depth` numbers, `step` after that of the pixel
// before. Output channels are the lanes.
#pragma once

namespace acol {

// The gradient of some pixels of y, `step` from one to the next. With a relu_y it counts as 0 where that is not above
// 0.
struct ConvRowGradient {
  const float *dy, *relu_y;
  long step;
  // What is fetched into the cache meanwhile, as many numbers a pixel as a vector has: where the channels are many
  // vectors, a pixel's are too far from the next pixel's for the processor to guess.
  const float *next_dy, *next_relu_y;
};

struct ConvRowKernels {
  // y[i * y_step + o] = sum_k x[i * step + k] w[k * columns + o] + bias[o], then max(., 0) if relu. For `pixels` pixels
  // and `columns` channels.
  int pixels, columns;
  void (*forward)(int depth, const float* x, long step, const float* w, const float* bias, bool relu, float* y,
                  long y_step);

  // sums[k * sums_step + o] += sum_i x[i * step + k] dy[i * dy.step + o], dy_sums[o] += sum_i dy[i * dy.step + o], for
  // k in [0, depth) and `lanes` channels.
  int depth, lanes;
  void (*gradient)(int pixels, const float* x, long step, const ConvRowGradient& dy, float* sums, long sums_step,
                   float* dy_sums);
};

}  // namespace acol
