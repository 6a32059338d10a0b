// The backend contract on one page: every kernel as a function pointer in one struct.
//
// A device is one table of these. Shapes are NHWC, row major, dense. Two rules hold for every entry:
//   - outputs (y, mean, ...) are assigned: what they held before does not matter;
//   - gradients (dx, dw, ...) are added to what is there, because a value may feed several consumers.
// A result has the same bits for any number of threads. Arguments were checked by the caller (autograd/); kernels check
// nothing, and throw only when memory runs out. Pointers do not overlap unless a line says so. All pointers are to
// memory of the table's device (tensor/device.h), except `labels`, `loss` and `dloss`, one number an image, which are
// the host's. `rows` is the product of all extents but the channels.
//
// T is the type of activations and their gradients: float, double, or on a card Bf16, where all else stays float.
#pragma once

#include <cstdint>

#include "tensor/bf16.h"
#include "tensor/device.h"
#include "tensor/geometry.h"

namespace acol {

enum class Interpolation : std::uint8_t { bilinear, bicubic };

// x: (batch, in_h, in_w, channels) -> y: (batch, out_h, out_w, channels). Half-pixel centres (PyTorch's align_corners =
// False, OpenCV's INTER_LINEAR / INTER_CUBIC): source = (i + 0.5) in / out - 0.5, taps clamped to the border; bilinear
// also clamps the coordinate at 0 (the same values); bicubic is Keys' kernel with a = -0.75. No antialiasing.
struct ResizeGeometry {
  int batch = 1, in_h = 1, in_w = 1, channels = 1, out_h = 1, out_w = 1;
  Interpolation interpolation = Interpolation::bilinear;
};

// One parameter of an optimizer's step. `count` numbers each: gradient dw, velocity v, weight w.
template <class T>
struct SgdArray {
  std::int64_t count;
  T rate, decay;
  const T* dw;
  T *v, *w;
};

template <class T>
struct Kernels {
  using Parameter = ParameterOf<T>;

  // y[n,p,q,o] = sum_{r,s,c} x[n, p stride - pad + r dilation, q ..., c] w[o,r,s,c] + bias[o]; then max(y, 0) if
  // `relu`. `bias` (out_c) may be null. Input outside the image counts as 0. Here and in the gradients, a NaN or an
  // infinity reaches every output that reads it; outputs of the same 4x4 tile may become NaN too, and in dw all taps of
  // the same channels.
  void (*conv2d_forward)(const Conv2dGeometry&, const T* x, const Parameter* w, const Parameter* bias, bool relu, T* y);
  // dx += sum over the outputs that read it: dx[n, p stride - pad + r dilation, ..., c] += dy[n,p,q,o] w[o,r,s,c].
  // `relu_y`: null, or the y that forward with `relu` gave; then dy counts as 0 where relu_y is not above 0.
  // `relu_x`: null, or x, if it is the output of a ReLU, which lets no gradient through where x is not above 0. A table
  // that can save the ReLU's own backward pass that work adds nothing there and returns true; others ignore it.
  bool (*conv2d_backward_data)(const Conv2dGeometry&, const T* dy, const T* relu_y, const Parameter* w, const T* relu_x,
                               T* dx);
  // dw[o,r,s,c] += sum_{n,p,q} dy[n,p,q,o] x[n, p stride - pad + r dilation, ..., c]; db[o] += sum dy (db may be null).
  void (*conv2d_backward_weights)(const Conv2dGeometry&, const T* dy, const T* relu_y, const T* x, Parameter* dw,
                                  Parameter* db);

  // y = max(x, 0); NaN stays NaN. y may be x.
  void (*relu_forward)(std::int64_t count, const T* x, T* y);
  // dx += dy where y > 0. With y the output, ReLU's input need not be kept.
  void (*relu_backward)(std::int64_t count, const T* y, const T* dy, T* dx);

  // y = maximum over the window's taps that lie inside the image; winner[i] = its tap r * window_w + s, the first in
  // raster order where several are equal (as PyTorch). A NaN wins over every number. winner: one byte per output.
  void (*max_pool_forward)(const Pool2dGeometry&, const T* x, T* y, std::uint8_t* winner);
  void (*max_pool_backward)(const Pool2dGeometry&, const T* dy, const std::uint8_t* winner, T* dx);
  // y = sum over the window's taps inside the image / (count_padding ? all taps that lie inside the padded image :
  // taps inside the image).
  void (*avg_pool_forward)(const Pool2dGeometry&, bool count_padding, const T* x, T* y);
  void (*avg_pool_backward)(const Pool2dGeometry&, bool count_padding, const T* dy, T* dx);
  // x: (batch, pixels, channels) -> y: (batch, channels), the mean over the pixels.
  void (*global_avg_pool_forward)(int batch, int pixels, int channels, const T* x, Parameter* y);
  void (*global_avg_pool_backward)(int batch, int pixels, int channels, const Parameter* dy, T* dx);

  // Statistics over the rows: mean[c], variance[c] (biased, / rows). x: (rows, channels).
  void (*batch_norm_statistics)(std::int64_t rows, int channels, const T* x, Parameter* mean, Parameter* variance);
  // y = gamma (x - mean) / sqrt(variance + epsilon) + beta.
  void (*batch_norm_forward)(std::int64_t rows, int channels, const T* x, const Parameter* mean,
                             const Parameter* variance, const Parameter* gamma, const Parameter* beta,
                             Parameter epsilon, T* y);
  // dgamma += sum dy xhat; dbeta += sum dy; and, if dx is not null,
  // through_statistics (training): dx += gamma / sqrt(variance + epsilon) (dy - mean(dy) - xhat mean(dy xhat));
  // else (running statistics are constants): dx += gamma / sqrt(variance + epsilon) dy. dgamma, dbeta may be null.
  void (*batch_norm_backward)(std::int64_t rows, int channels, const T* x, const Parameter* mean,
                              const Parameter* variance, const Parameter* gamma, Parameter epsilon,
                              bool through_statistics, const T* dy, T* dx, Parameter* dgamma, Parameter* dbeta);

  // average = (1 - momentum) average + momentum factor x, in double: batch norm's running statistics.
  void (*move_average)(std::int64_t count, double momentum, double factor, const Parameter* x, Parameter* average);

  // y = a + b, a b, max(a, b) (a wins a tie). Backward adds into da, db; either may be null.
  void (*add_forward)(std::int64_t count, const T* a, const T* b, T* y);
  void (*multiply_forward)(std::int64_t count, const T* a, const T* b, T* y);
  void (*multiply_backward)(std::int64_t count, const T* a, const T* b, const T* dy, T* da, T* db);
  void (*maximum_forward)(std::int64_t count, const T* a, const T* b, T* y);
  void (*maximum_backward)(std::int64_t count, const T* a, const T* b, const T* dy, T* da, T* db);
  // y += factor x: the gradient of add, and every plain accumulation.
  void (*accumulate)(std::int64_t count, Parameter factor, const T* x, T* y);

  // Between the two types of number, where they differ: y = x, and y += x.
  void (*to_parameters)(std::int64_t count, const T* x, Parameter* y);
  void (*add_parameters)(std::int64_t count, const Parameter* x, T* y);

  // y = keep ? x / (1 - rate) : 0. keep(i) = uniform(seed, step, layer, i) >= rate, a function of these alone: word i %
  // 4 of philox4x32({i / 4, Purpose::dropout, step, layer}, seed), its upper 24 bits times 2^-24. Backward is the same
  // function on dy, added.
  void (*dropout_forward)(std::int64_t count, Parameter rate, std::uint64_t seed, std::uint32_t step,
                          std::uint32_t layer, const T* x, T* y);
  void (*dropout_backward)(std::int64_t count, Parameter rate, std::uint64_t seed, std::uint32_t step,
                           std::uint32_t layer, const T* dy, T* dx);

  // probability: softmax of each row of logits (rows, classes); loss[row] = -log probability[label[row]], computed from
  // the logits with the row's maximum subtracted. Backward: dlogits += dloss (probability - onehot(label)).
  void (*softmax_cross_entropy_forward)(int rows, int classes, const Parameter* logits, const int* labels,
                                        Parameter* probability, Parameter* loss);
  void (*softmax_cross_entropy_backward)(int rows, int classes, const Parameter* probability, const int* labels,
                                         const Parameter* dloss, Parameter* dlogits);

  void (*resize_forward)(const ResizeGeometry&, const T* x, T* y);
  void (*resize_backward)(const ResizeGeometry&, const T* dy, T* dx);

  // The map of one class an image: map[n, pixel] = sum_c x[n, pixel, c] w[label[n], c] + bias[label[n]]. x: (batch,
  // pixels, channels), w: (classes, channels), bias: (classes) or null, map: (batch, pixels).
  void (*class_map)(int batch, int pixels, int channels, const T* x, const Parameter* w, const Parameter* bias,
                    const int* labels, Parameter* map);
  // heat[n, pixel] = min-max normalised maps[n, pixel, label[n]], in [0, 1]; all 0 where the map is constant or holds a
  // NaN or an infinity. maps: (batch, pixels, classes), heat: (batch, pixels).
  void (*normalized_map)(int batch, int pixels, int classes, const Parameter* maps, const int* labels, Parameter* heat);
  // The erase of ACoL: y = heat[n, pixel] >= threshold ? 0 : x. x, y: (batch, pixels, channels).
  // Backward: dx += dy where it was kept; no gradient goes into the heat map.
  void (*erase_forward)(int batch, int pixels, int channels, const T* x, const Parameter* heat, Parameter threshold,
                        T* y);
  void (*erase_backward)(int batch, int pixels, int channels, const Parameter* heat, Parameter threshold, const T* dy,
                         T* dx);

  // sums[i] = sum of x[i]^2 over its counts[i] numbers, in double, in an order that only counts[i] decides. Together,
  // so that a device is waited for once: the lists counts, x and sums are the host's, only what x[i] points to is the
  // device's.
  void (*sums_of_squares)(int arrays, const std::int64_t* counts, const Parameter* const* x, double* sums);
  // SGD as PyTorch writes it, for each array of a list: g = scale dw + decay w; v = momentum v + g; w -= rate (nesterov
  // ? g + momentum v : v). Together, so that small arrays cost a device next to nothing; the list itself is the host's.
  void (*sgd_step)(int arrays, const SgdArray<Parameter>* list, Parameter momentum, bool nesterov, Parameter scale);
};

// Every table has this many entries; a test walks them and fails on a null one.
template <class T>
constexpr int kernel_count = sizeof(Kernels<T>) / sizeof(void (*)());

// The plain loops of reference.h, for float and double.
template <class T>
const Kernels<T>& reference_kernels();

// The fast float table of tensor/cpu, at the SIMD level in use (tensor/simd/level.h).
const Kernels<float>& cpu_kernels();

// The table that operations call: that of the device in use for float, the reference for double, a card's for Bf16
// (Error on other devices).
template <class T>
const Kernels<T>& kernels();

}  // namespace acol
