// Resizing. Along each axis an output pixel is a weighted sum of 2 or 4 input pixels, its taps; the host lists them
// once a call. A thread takes a pack of neighbouring channels of one pixel: forward an output pixel, which reads what
// its taps name, backward an input pixel, which gathers from the outputs whose taps name it, in their order.
#include <algorithm>
#include <cmath>
#include <vector>

#include "cuda/kernels.h"
#include "cuda/pack.cuh"

namespace acol::cuda {

namespace {

struct Tap {
  int pixel;  // of the input, or in backward's lists of the output
  double weight;
};

// Keys' kernel with a = -0.75, at a distance of at most 2.
double keys(double distance) {
  constexpr double a = -0.75;
  const double d = std::abs(distance);
  return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((d - 5) * d + 8) * d * a - 4 * a;
}

// The taps of all output pixels of an axis, in order; the same number for each.
std::vector<Tap> taps_of_axis(Interpolation interpolation, int in, int out) {
  std::vector<Tap> taps;
  for (int i = 0; i < out; ++i) {
    const double source = (i + 0.5) * in / out - 0.5;
    const int left = static_cast<int>(std::floor(source));
    const bool cubic = interpolation == Interpolation::bicubic;
    for (int pixel = left - (cubic ? 1 : 0); pixel <= left + (cubic ? 2 : 1); ++pixel)
      taps.push_back({std::clamp(pixel, 0, in - 1), cubic ? keys(source - pixel) : 1 - std::abs(source - pixel)});
  }
  return taps;
}

std::int64_t count_of(const auto& list) { return static_cast<std::int64_t>(list.size()); }

// What a kernel reads: the taps of pixel i are [first(i), first(i + 1)).
struct Axis {
  const Tap* taps;
  const int* firsts;

  __device__ int begin(int pixel) const { return firsts[pixel]; }
  __device__ int end(int pixel) const { return firsts[pixel + 1]; }
};

// An axis in device memory: with the input pixels of each output pixel for forward, or the output pixels of each input
// pixel for backward.
class AxisOnDevice {
 public:
  static AxisOnDevice forward(Interpolation interpolation, int in, int out) {
    const std::vector<Tap> taps = taps_of_axis(interpolation, in, out);
    std::vector<int> firsts;
    for (int i = 0; i <= out; ++i) firsts.push_back(i * static_cast<int>(taps.size()) / out);
    return {taps, firsts};
  }
  static AxisOnDevice backward(Interpolation interpolation, int in, int out) {
    const std::vector<Tap> taps = taps_of_axis(interpolation, in, out);
    const int taps_each = static_cast<int>(taps.size()) / out;
    std::vector<Tap> turned;
    std::vector<int> firsts{0};
    for (int pixel = 0; pixel < in; ++pixel) {
      for (std::size_t i = 0; i < taps.size(); ++i)
        if (taps[i].pixel == pixel) turned.push_back({static_cast<int>(i) / taps_each, taps[i].weight});
      firsts.push_back(static_cast<int>(turned.size()));
    }
    return {turned, firsts};
  }

  Axis axis() const { return {taps_.data(), firsts_.data()}; }

 private:
  AxisOnDevice(const std::vector<Tap>& taps, const std::vector<int>& firsts)
      : taps_(taps.data(), count_of(taps)), firsts_(firsts.data(), count_of(firsts)) {}

  OnDevice<Tap> taps_;
  OnDevice<int> firsts_;
};

// to[n, h, w, c] = (`accumulate`: what it is +) the sum over the taps of h and of w of their weights times
// from[n, tap of h, tap of w, c].
template <int width, bool accumulate, class T>
__global__ void weigh_kernel(int batch, int channels, int from_h, int from_w, int to_h, int to_w, Axis down,
                             Axis across, bool aligned, const T* from, T* to) {
  const int packs = channels / width;
  for_each_in_rows(batch, to_h, to_w * packs, [&](int n, int h, int i) {
    const int w = i / packs, c = i % packs * width;
    const std::int64_t at = ((static_cast<std::int64_t>(n) * to_h + h) * to_w + w) * channels + c;
    Pack<float, width> sum = {};
    if (accumulate) sum = load<width>(to + at, aligned);
    for (int r = down.begin(h); r < down.end(h); ++r)
      for (int s = across.begin(w); s < across.end(w); ++s) {
        const Tap vertical = down.taps[r], horizontal = across.taps[s];
        const auto weight = static_cast<float>(vertical.weight * horizontal.weight);
        const std::int64_t row = static_cast<std::int64_t>(n) * from_h + vertical.pixel;
        const auto pack = load<width>(from + (row * from_w + horizontal.pixel) * channels + c, aligned);
        for (int k = 0; k < width; ++k) sum.at[k] += weight * pack.at[k];
      }
    store<width>(sum, to + at, aligned);
  });
}

struct Size {
  int h, w;
};

template <bool adds, class T>
void weigh(const char* name, const ResizeGeometry& g, const Size& from, const Size& to, const AxisOnDevice& down,
           const AxisOnDevice& across, const T* x, T* y) {
  with_width(g.channels, [&](auto width) {
    launch(name, weigh_kernel<width(), adds, T>, grid_for_rows(g.batch, to.h, to.w * (g.channels / width)), g.batch,
           g.channels, from.h, from.w, to.h, to.w, down.axis(), across.axis(), aligned(width, x, y), x, y);
  });
}

}  // namespace

template <class T>
void resize_forward(const ResizeGeometry& g, const T* x, T* y) {
  weigh<false>("resize_forward", g, {g.in_h, g.in_w}, {g.out_h, g.out_w},
               AxisOnDevice::forward(g.interpolation, g.in_h, g.out_h),
               AxisOnDevice::forward(g.interpolation, g.in_w, g.out_w), x, y);
}

template <class T>
void resize_backward(const ResizeGeometry& g, const T* dy, T* dx) {
  weigh<true>("resize_backward", g, {g.out_h, g.out_w}, {g.in_h, g.in_w},
              AxisOnDevice::backward(g.interpolation, g.in_h, g.out_h),
              AxisOnDevice::backward(g.interpolation, g.in_w, g.out_w), dy, dx);
}

template void resize_forward(const ResizeGeometry&, const float*, float*);
template void resize_backward(const ResizeGeometry&, const float*, float*);

template void resize_forward(const ResizeGeometry&, const Bf16*, Bf16*);
template void resize_backward(const ResizeGeometry&, const Bf16*, Bf16*);

}  // namespace acol::cuda
