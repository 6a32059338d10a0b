// Pools. Forward goes over output pixels, backward over input pixels, which gather from the windows that cover them: so
// no two threads write the same number, and each is summed in the raster order of the outputs.
#include <algorithm>
#include <array>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/parallel.h"

namespace acol::cpu {

namespace {

// Along one axis: the window of an output place, or the places whose windows cover an input pixel.
struct Axis {
  int in, out, window, stride, pad;

  int origin(int place) const { return place * stride - pad; }
  // The taps [first, last) of the place that lie inside the image; never empty, as pad <= window / 2.
  int first_tap(int place) const { return std::max(0, -origin(place)); }
  int last_tap(int place) const { return std::min(window, in - origin(place)); }
  int taps(int place) const { return last_tap(place) - first_tap(place); }
  // The places [first, last) that see the pixel.
  int first_place(int pixel) const {
    const int beyond = pixel + pad - window;  // the first place starts after this padded pixel
    return beyond < 0 ? 0 : beyond / stride + 1;
  }
  int last_place(int pixel) const { return std::min(out, (pixel + pad) / stride + 1); }
};

Axis vertical(const Pool2dGeometry& g) { return {g.in_h, g.out_h(), g.window_h, g.stride_h, g.pad_h}; }
Axis horizontal(const Pool2dGeometry& g) { return {g.in_w, g.out_w(), g.window_w, g.stride_w, g.pad_w}; }

// body(row) for every row of `width` pixels, `rows` a picture.
template <class Body>
void for_each_row(const Pool2dGeometry& g, int rows, int width, const Body& body) {
  parallel_chunks(std::int64_t{g.batch} * rows, row_grain(width * g.channels),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) body(row);
                  });
}

// The number that the sum of an average pool's window is divided by. Floor mode keeps every window inside the padded
// image.
float window_size(const Axis& down, const Axis& across, int p, int q, bool count_padding) {
  return static_cast<float>(count_padding ? down.window * across.window : down.taps(p) * across.taps(q));
}

constexpr int channel_block = 64;

// best[c] = max(best[c], value[c]), and winner[c] = tap where value is larger, or the first NaN.
void take_larger(int count, const float* value, int tap, float* best, int* winner) {
#pragma omp simd
  for (int c = 0; c < count; ++c) {
    const bool first_nan = (value[c] != value[c]) & (best[c] == best[c]);
    const bool larger = (value[c] > best[c]) | first_nan;
    best[c] = larger ? value[c] : best[c];
    winner[c] = larger ? tap : winner[c];
  }
}

}  // namespace

void max_pool_forward(const Pool2dGeometry& g, const float* x, float* y, std::uint8_t* winner) {
  const Axis down = vertical(g), across = horizontal(g);
  for_each_row(g, down.out, across.out, [&](std::int64_t row) {
    const int p = static_cast<int>(row % down.out);
    const float* const image = x + row / down.out * g.in_h * g.in_w * g.channels;
    std::array<float, channel_block> best;
    std::array<int, channel_block> tap;
    for (int q = 0; q < across.out; ++q)
      for (int channel = 0; channel < g.channels; channel += channel_block) {
        const int count = std::min(channel_block, g.channels - channel);
        const auto at = [&](int r, int s) {
          return image + (std::int64_t{down.origin(p) + r} * g.in_w + across.origin(q) + s) * g.channels + channel;
        };
        const int r0 = down.first_tap(p), s0 = across.first_tap(q);
        std::copy_n(at(r0, s0), count, best.data());
        std::fill_n(tap.data(), count, r0 * g.window_w + s0);
        for (int r = r0; r < down.last_tap(p); ++r)
          for (int s = r == r0 ? s0 + 1 : s0; s < across.last_tap(q); ++s)
            take_larger(count, at(r, s), r * g.window_w + s, best.data(), tap.data());
        const std::int64_t out = (row * across.out + q) * g.channels + channel;
        std::copy_n(best.data(), count, y + out);
#pragma omp simd
        for (int c = 0; c < count; ++c) winner[out + c] = static_cast<std::uint8_t>(tap[static_cast<std::size_t>(c)]);
      }
  });
}

void max_pool_backward(const Pool2dGeometry& g, const float* dy, const std::uint8_t* winner, float* dx) {
  const Axis down = vertical(g), across = horizontal(g);
  for_each_row(g, g.in_h, g.in_w, [&](std::int64_t row) {
    const int i = static_cast<int>(row % g.in_h);
    const std::int64_t image = row / g.in_h;
    for (int j = 0; j < g.in_w; ++j) {
      float* const out = dx + (row * g.in_w + j) * g.channels;
      for (int p = down.first_place(i); p < down.last_place(i); ++p)
        for (int q = across.first_place(j); q < across.last_place(j); ++q) {
          const std::int64_t from = ((image * down.out + p) * across.out + q) * g.channels;
          const float* const gradient = dy + from;
          const std::uint8_t* const won = winner + from;
          const int tap = (i - down.origin(p)) * g.window_w + j - across.origin(q);
#pragma omp simd
          for (int c = 0; c < g.channels; ++c) out[c] += won[c] == tap ? gradient[c] : 0;
        }
    }
  });
}

void avg_pool_forward(const Pool2dGeometry& g, bool count_padding, const float* x, float* y) {
  const Axis down = vertical(g), across = horizontal(g);
  for_each_row(g, down.out, across.out, [&](std::int64_t row) {
    const int p = static_cast<int>(row % down.out);
    const float* const image = x + row / down.out * g.in_h * g.in_w * g.channels;
    for (int q = 0; q < across.out; ++q) {
      float* const out = y + (row * across.out + q) * g.channels;
      std::fill_n(out, g.channels, 0.0f);
      for (int r = down.first_tap(p); r < down.last_tap(p); ++r)
        for (int s = across.first_tap(q); s < across.last_tap(q); ++s) {
          const float* const in =
              image + (std::int64_t{down.origin(p) + r} * g.in_w + across.origin(q) + s) * g.channels;
#pragma omp simd
          for (int c = 0; c < g.channels; ++c) out[c] += in[c];
        }
      const float size = window_size(down, across, p, q, count_padding);
#pragma omp simd
      for (int c = 0; c < g.channels; ++c) out[c] /= size;
    }
  });
}

void avg_pool_backward(const Pool2dGeometry& g, bool count_padding, const float* dy, float* dx) {
  const Axis down = vertical(g), across = horizontal(g);
  for_each_row(g, g.in_h, g.in_w, [&](std::int64_t row) {
    const int i = static_cast<int>(row % g.in_h);
    const std::int64_t image = row / g.in_h;
    for (int j = 0; j < g.in_w; ++j) {
      float* const out = dx + (row * g.in_w + j) * g.channels;
      for (int p = down.first_place(i); p < down.last_place(i); ++p)
        for (int q = across.first_place(j); q < across.last_place(j); ++q) {
          const float* const gradient = dy + ((image * down.out + p) * across.out + q) * g.channels;
          const float size = window_size(down, across, p, q, count_padding);
#pragma omp simd
          for (int c = 0; c < g.channels; ++c) out[c] += gradient[c] / size;
        }
    }
  });
}

void global_avg_pool_forward(int batch, int pixels, int channels, const float* x, float* y) {
  const int blocks = (channels + channel_block - 1) / channel_block;
  parallel_chunks(std::int64_t{batch} * blocks, row_grain(pixels * std::min(channels, channel_block)),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t task = begin; task < end; ++task) {
                      const std::int64_t image = task / blocks;
                      const int channel = static_cast<int>(task % blocks) * channel_block;
                      const int count = std::min(channel_block, channels - channel);
                      std::array<double, channel_block> sum{};
                      for (int i = 0; i < pixels; ++i) {
                        const float* const in = x + (image * pixels + i) * channels + channel;
#pragma omp simd
                        for (int c = 0; c < count; ++c) sum[static_cast<std::size_t>(c)] += in[c];
                      }
                      for (int c = 0; c < count; ++c)
                        y[image * channels + channel + c] =
                            static_cast<float>(sum[static_cast<std::size_t>(c)] / pixels);
                    }
                  });
}

void global_avg_pool_backward(int batch, int pixels, int channels, const float* dy, float* dx) {
  const float share = 1.0f / static_cast<float>(pixels);
  parallel_chunks(std::int64_t{batch} * pixels, row_grain(channels), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* const gradient = dy + row / pixels * channels;
      float* const out = dx + row * channels;
#pragma omp simd
      for (int c = 0; c < channels; ++c) out[c] += gradient[c] * share;
    }
  });
}

}  // namespace acol::cpu
