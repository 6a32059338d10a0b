// The map of one class, the normalised map and the erase of ACoL.
#include <cmath>

#include "cuda/kernels.h"
#include "cuda/pack.cuh"
#include "cuda/reduce.cuh"

namespace acol::cuda {

namespace {

// A warp takes a pixel: its lanes lie side by side along the channels, and at the end the upper half of them gives its
// sums to the lower half, until one is left.
template <int width, class T>
__global__ void class_map_kernel(std::int64_t rows, int pixels, int channels, bool aligned, const T* x, const float* w,
                                 const float* bias, const int* labels, float* map) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (std::int64_t row = first_index() / 32; row < rows; row += index_step() / 32) {
    const int label = labels[row / pixels];
    const T* const pixel = x + row * channels;
    const float* const weights = w + static_cast<std::int64_t>(label) * channels;
    float sums[width] = {};
#pragma unroll 4
    for (int c = lane * width; c < channels; c += 32 * width) {
      const auto a = load<width>(pixel + c, aligned), b = load<width>(weights + c, aligned);
      for (int k = 0; k < width; ++k) sums[k] += a.at[k] * b.at[k];
    }
    float sum = sums[0];
    for (int k = 1; k < width; ++k) sum += sums[k];
    for (unsigned half = 16; half > 0; half /= 2) sum += __shfl_down_sync(0xffffffffU, sum, half);
    if (lane == 0) map[row] = sum + (bias == nullptr ? 0.0f : bias[label]);
  }
}

// A block takes an image.
__global__ void normalized_map_kernel(int pixels, int classes, const float* maps, const int* labels, float* heat) {
  struct Range {
    float low, high;
  };
  OnePerThread<Range>& ranges = shared<OnePerThread<Range>>();
  const std::int64_t image = blockIdx.x;
  const float* const map = maps + image * pixels * classes + labels[image];
  float* const to = heat + image * pixels;
  const int first = static_cast<int>(threadIdx.x);

  Range range{INFINITY, -INFINITY};
  for (int i = first; i < pixels; i += threads_a_block) {
    const float value = map[static_cast<std::int64_t>(i) * classes];
    to[i] = value;  // the map's values lie far apart: read them once
    range.low = value < range.low ? value : range.low;
    // Infinite, too, where the map holds a NaN or the other infinity: then the range is of no use.
    range.high = !std::isfinite(value) ? INFINITY : value > range.high ? value : range.high;
  }
  range = combine_block(ranges, range, [](const Range& a, const Range& b) {
    return Range{b.low < a.low ? b.low : a.low, b.high > a.high ? b.high : a.high};
  });

  const bool usable = std::isfinite(range.high) && range.low < range.high;
  // In double, where neither the range of two floats nor the difference of two tiny ones is lost.
  const double low = range.low, length = double{range.high} - low;
  for (int i = first; i < pixels; i += threads_a_block)
    to[i] = usable ? static_cast<float>((to[i] - low) / length) : 0.0f;
}

template <int width, class T>
__global__ void erase_forward_kernel(int batch, int pixels, int channels, bool aligned, const T* x, const float* heat,
                                     float threshold, T* y) {
  for_each_in_rows(batch, pixels, channels / width, [&](int n, int pixel, int i) {
    const std::int64_t place = static_cast<std::int64_t>(n) * pixels + pixel, at = place * channels + i * width;
    Pack<float, width> kept = {};
    if (!(heat[place] >= threshold)) kept = load<width>(x + at, aligned);
    store<width>(kept, y + at, aligned);
  });
}

template <int width, class T>
__global__ void erase_backward_kernel(int batch, int pixels, int channels, bool aligned, const float* heat,
                                      float threshold, const T* dy, T* dx) {
  for_each_in_rows(batch, pixels, channels / width, [&](int n, int pixel, int i) {
    const std::int64_t place = static_cast<std::int64_t>(n) * pixels + pixel, at = place * channels + i * width;
    if (heat[place] >= threshold) return;
    const auto gradient = load<width>(dy + at, aligned);
    auto sum = load<width>(dx + at, aligned);
    for (int k = 0; k < width; ++k) sum.at[k] += gradient.at[k];
    store<width>(sum, dx + at, aligned);
  });
}

}  // namespace

template <class T>
void class_map(int batch, int pixels, int channels, const T* x, const float* w, const float* bias, const int* labels,
               float* map) {
  if (batch == 0) return;
  const OnDevice<int> labels_there(labels, batch);
  const std::int64_t rows = static_cast<std::int64_t>(batch) * pixels;
  with_width(channels, [&](auto width) {
    launch("class_map", class_map_kernel<width(), T>, grid_for(32 * rows), rows, pixels, channels, aligned(width, x, w),
           x, w, bias, labels_there.data(), map);
  });
}

void normalized_map(int batch, int pixels, int classes, const float* maps, const int* labels, float* heat) {
  if (batch == 0) return;
  const OnDevice<int> labels_there(labels, batch);
  launch("normalized_map", normalized_map_kernel, Grid{dim3(static_cast<unsigned>(batch)), dim3(threads_a_block)},
         pixels, classes, maps, labels_there.data(), heat);
}

template <class T>
void erase_forward(int batch, int pixels, int channels, const T* x, const float* heat, float threshold, T* y) {
  with_width(channels, [&](auto width) {
    launch("erase_forward", erase_forward_kernel<width(), T>, grid_for_rows(batch, pixels, channels / width), batch,
           pixels, channels, aligned(width, x, y), x, heat, threshold, y);
  });
}

template <class T>
void erase_backward(int batch, int pixels, int channels, const float* heat, float threshold, const T* dy, T* dx) {
  with_width(channels, [&](auto width) {
    launch("erase_backward", erase_backward_kernel<width(), T>, grid_for_rows(batch, pixels, channels / width), batch,
           pixels, channels, aligned(width, dy, dx), heat, threshold, dy, dx);
  });
}

template void class_map(int, int, int, const float*, const float*, const float*, const int*, float*);
template void class_map(int, int, int, const Bf16*, const float*, const float*, const int*, float*);
template void erase_forward(int, int, int, const float*, const float*, float, float*);
template void erase_backward(int, int, int, const float*, float, const float*, float*);

template void erase_forward(int, int, int, const Bf16*, const float*, float, Bf16*);
template void erase_backward(int, int, int, const float*, float, const Bf16*, Bf16*);

}  // namespace acol::cuda
