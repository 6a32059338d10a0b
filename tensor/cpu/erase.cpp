#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/parallel.h"

namespace acol::cpu {

namespace {

// The sum of a[c] b[c], as 16 sums side by side that the compiler keeps in vectors.
float dot(int channels, const float* a, const float* b) {
  constexpr int width = 16;
  float sums[width] = {};
  int first = 0;
  for (; first + width <= channels; first += width)
#pragma omp simd
    for (int k = 0; k < width; ++k) sums[k] += a[first + k] * b[first + k];
  for (int k = 0; first + k < channels; ++k) sums[k] += a[first + k] * b[first + k];
  for (int half = width / 2; half > 0; half /= 2)
    for (int k = 0; k < half; ++k) sums[k] += sums[k + half];
  return sums[0];
}

// One image: maps (pixels, classes), its class `label` -> heat (pixels).
void normalize_one(int pixels, int classes, const float* maps, int label, float* heat) {
  bool finite = true;
  float low = maps[label], high = maps[label];
  for (int i = 0; i < pixels; ++i) {
    const float value = maps[std::int64_t{i} * classes + label];
    finite = finite && std::isfinite(value);
    low = std::min(low, value);
    high = std::max(high, value);
    heat[i] = value;
  }
  if (!finite || !(low < high)) {
    std::fill(heat, heat + pixels, 0.0f);
    return;
  }
  // In double, where neither the range of two floats nor the difference of two tiny ones is lost.
  const double range = static_cast<double>(high) - low;
  for (int i = 0; i < pixels; ++i) heat[i] = static_cast<float>((static_cast<double>(heat[i]) - low) / range);
}

}  // namespace

void class_map(int batch, int pixels, int channels, const float* x, const float* w, const float* bias,
               const int* labels, float* map) {
  parallel_chunks(std::int64_t{batch} * pixels, row_grain(channels), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const int label = labels[row / pixels];
      map[row] = dot(channels, x + row * channels, w + std::int64_t{label} * channels) +
                 (bias == nullptr ? 0.0f : bias[label]);
    }
  });
}

void normalized_map(int batch, int pixels, int classes, const float* maps, const int* labels, float* heat) {
  parallel_chunks(batch, row_grain(16 * pixels), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n)
      normalize_one(pixels, classes, maps + n * pixels * classes, labels[n], heat + n * pixels);
  });
}

void erase_forward(int batch, int pixels, int channels, const float* x, const float* heat, float threshold, float* y) {
  const std::size_t row_bytes = static_cast<std::size_t>(channels) * sizeof(float);
  parallel_chunks(std::int64_t{batch} * pixels, row_grain(channels), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      if (heat[row] >= threshold)
        std::memset(y + row * channels, 0, row_bytes);
      else
        std::memcpy(y + row * channels, x + row * channels, row_bytes);
    }
  });
}

void erase_backward(int batch, int pixels, int channels, const float* heat, float threshold, const float* dy,
                    float* dx) {
  parallel_chunks(std::int64_t{batch} * pixels, row_grain(channels), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      if (heat[row] >= threshold) continue;
      const float* const in = dy + row * channels;
      float* const out = dx + row * channels;
#pragma omp simd
      for (int c = 0; c < channels; ++c) out[c] += in[c];
    }
  });
}

}  // namespace acol::cpu
