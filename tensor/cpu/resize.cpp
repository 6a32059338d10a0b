// Resizing is separable: each axis is a short list of (source pixel, weight) per output pixel, made once per call.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/parallel.h"

namespace acol::cpu {

namespace {

struct Tap {
  int from, to;  // source pixel, output pixel
  float weight;
};

// Keys' cubic kernel at distance d in [0, 2], with a = -0.75.
double cubic(double d) {
  constexpr double a = -0.75;
  return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

// Taps of one axis in the order of the output pixels, the same number (2 or 4) for each.
std::vector<Tap> axis_taps(int in, int out, Interpolation interpolation) {
  std::vector<Tap> taps;
  for (int i = 0; i < out; ++i) {
    double source = (i + 0.5) * in / out - 0.5;
    if (interpolation == Interpolation::bilinear) source = std::max(source, 0.0);
    const int left = static_cast<int>(std::floor(source));
    const double t = source - left;
    const auto add = [&](int pixel, double weight) {
      taps.push_back({std::clamp(pixel, 0, in - 1), i, static_cast<float>(weight)});
    };
    if (interpolation == Interpolation::bilinear) {
      add(left, 1 - t);
      add(left + 1, t);
    } else {
      add(left - 1, cubic(1 + t));
      add(left, cubic(t));
      add(left + 1, cubic(1 - t));
      add(left + 2, cubic(2 - t));
    }
  }
  return taps;
}

void add_scaled(std::int64_t count, float weight, const float* in, float* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) out[i] += weight * in[i];
}

}  // namespace

void resize_forward(const ResizeGeometry& g, const float* x, float* y) {
  const std::vector<Tap> vertical = axis_taps(g.in_h, g.out_h, g.interpolation);
  const std::vector<Tap> horizontal = axis_taps(g.in_w, g.out_w, g.interpolation);
  const std::size_t taps = vertical.size() / static_cast<std::size_t>(g.out_h);
  const std::int64_t in_row = std::int64_t{g.in_w} * g.channels, out_row = std::int64_t{g.out_w} * g.channels;

  // An output row: blend the source rows into one, then blend its pixels.
  parallel_chunks(std::int64_t{g.batch} * g.out_h, row_grain(g.out_w * g.channels),
                  [&](std::int64_t begin, std::int64_t end) {
                    std::vector<float> blended(static_cast<std::size_t>(in_row));
                    for (std::int64_t row = begin; row < end; ++row) {
                      const std::int64_t image = row / g.out_h;
                      std::fill(blended.begin(), blended.end(), 0.0f);
                      for (std::size_t t = 0; t < taps; ++t) {
                        const Tap& tap = vertical[static_cast<std::size_t>(row % g.out_h) * taps + t];
                        add_scaled(in_row, tap.weight, x + (image * g.in_h + tap.from) * in_row, blended.data());
                      }
                      float* const out = y + row * out_row;
                      std::fill(out, out + out_row, 0.0f);
                      for (const Tap& tap : horizontal)
                        add_scaled(g.channels, tap.weight, blended.data() + std::int64_t{tap.from} * g.channels,
                                   out + std::int64_t{tap.to} * g.channels);
                    }
                  });
}

void resize_backward(const ResizeGeometry& g, const float* dy, float* dx) {
  std::vector<Tap> vertical = axis_taps(g.in_h, g.out_h, g.interpolation);
  const std::vector<Tap> horizontal = axis_taps(g.in_w, g.out_w, g.interpolation);
  const std::int64_t in_row = std::int64_t{g.in_w} * g.channels, out_row = std::int64_t{g.out_w} * g.channels;

  // Sorted by source row, so that the thread that owns a row of dx finds all that it gave to.
  std::stable_sort(vertical.begin(), vertical.end(), [](const Tap& a, const Tap& b) { return a.from < b.from; });
  parallel_chunks(std::int64_t{g.batch} * g.in_h, row_grain(g.in_w * g.channels),
                  [&](std::int64_t begin, std::int64_t end) {
                    std::vector<float> gathered(static_cast<std::size_t>(out_row));
                    for (std::int64_t row = begin; row < end; ++row) {
                      const std::int64_t image = row / g.in_h;
                      const int source = static_cast<int>(row % g.in_h);
                      std::fill(gathered.begin(), gathered.end(), 0.0f);
                      auto tap = std::lower_bound(vertical.begin(), vertical.end(), source,
                                                  [](const Tap& each, int wanted) { return each.from < wanted; });
                      for (; tap != vertical.end() && tap->from == source; ++tap)
                        add_scaled(out_row, tap->weight, dy + (image * g.out_h + tap->to) * out_row, gathered.data());
                      for (const Tap& across : horizontal)
                        add_scaled(g.channels, across.weight, gathered.data() + std::int64_t{across.to} * g.channels,
                                   dx + row * in_row + std::int64_t{across.from} * g.channels);
                    }
                  });
}

}  // namespace acol::cpu
