// Pools. Forward goes over output pixels, backward over input pixels, which gather from the windows that cover them: so
// no two threads write the same number, and each is summed in the raster order of the outputs.
#include <algorithm>
#include <array>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/scratch.h"
#include "tensor/simd/kernels.h"

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

// What the window of output (p, q) sees, as offsets from the image's first number.
struct Window {
  PixelRectangle pixels;
  std::int64_t offset;
};
Window window_at(const Pool2dGeometry& g, const Axis& down, const Axis& across, int p, int q) {
  const int r = down.first_tap(p), s = across.first_tap(q);
  const std::int64_t row_step = std::int64_t{g.in_w} * g.channels;
  return {{down.taps(p), across.taps(q), row_step, g.channels, r * g.window_w + s, g.window_w, 1},
          (down.origin(p) + r) * row_step + std::int64_t{across.origin(q) + s} * g.channels};
}

// The windows that see pixel (i, j), as offsets from the image's first output. From a window to the next, the pixel's
// tap becomes smaller.
Window windows_of(const Pool2dGeometry& g, const Axis& down, const Axis& across, int i, int j) {
  const int p = down.first_place(i), q = across.first_place(j);
  const std::int64_t row_step = std::int64_t{across.out} * g.channels;
  return {{std::max(0, down.last_place(i) - p), std::max(0, across.last_place(j) - q), row_step, g.channels,
           (i - down.origin(p)) * g.window_w + j - across.origin(q), -g.stride_h * g.window_w, -g.stride_w},
          p * row_step + std::int64_t{q} * g.channels};
}

}  // namespace

void max_pool_forward(const Pool2dGeometry& g, const float* x, float* y, std::uint8_t* winner) {
  const Axis down = vertical(g), across = horizontal(g);
  const PoolKernels& pool = simd_kernels().pool;
  for_each_row(g, down.out, across.out, [&](std::int64_t row) {
    const int p = static_cast<int>(row % down.out);
    const float* const image = x + row / down.out * g.in_h * g.in_w * g.channels;
    for (int q = 0; q < across.out; ++q) {
      const Window window = window_at(g, down, across, p, q);
      const std::int64_t out = (row * across.out + q) * g.channels;
      pool.largest(window.pixels, image + window.offset, g.channels, y + out, winner + out);
    }
  });
}

void max_pool_backward(const Pool2dGeometry& g, const float* dy, const std::uint8_t* winner, float* dx) {
  const Axis down = vertical(g), across = horizontal(g);
  const PoolKernels& pool = simd_kernels().pool;
  for_each_row(g, g.in_h, g.in_w, [&](std::int64_t row) {
    const std::int64_t image = row / g.in_h * down.out * across.out * g.channels;
    for (int j = 0; j < g.in_w; ++j) {
      const Window windows = windows_of(g, down, across, static_cast<int>(row % g.in_h), j);
      const std::int64_t from = image + windows.offset;
      pool.add_won(windows.pixels, dy + from, winner + from, g.channels, dx + (row * g.in_w + j) * g.channels);
    }
  });
}

void avg_pool_forward(const Pool2dGeometry& g, bool count_padding, const float* x, float* y) {
  const Axis down = vertical(g), across = horizontal(g);
  const PoolKernels& pool = simd_kernels().pool;
  for_each_row(g, down.out, across.out, [&](std::int64_t row) {
    const int p = static_cast<int>(row % down.out);
    const float* const image = x + row / down.out * g.in_h * g.in_w * g.channels;
    for (int q = 0; q < across.out; ++q) {
      const Window window = window_at(g, down, across, p, q);
      pool.average(window.pixels, image + window.offset, g.channels, window_size(down, across, p, q, count_padding),
                   y + (row * across.out + q) * g.channels);
    }
  });
}

void avg_pool_backward(const Pool2dGeometry& g, bool count_padding, const float* dy, float* dx) {
  const Axis down = vertical(g), across = horizontal(g);
  const PoolKernels& pool = simd_kernels().pool;
  // Each gradient is divided once for all pixels of its window that lie in the same band of rows of an image.
  const auto band = static_cast<int>(std::max<std::int64_t>(2 * g.window_h, row_grain(g.in_w * g.channels)));
  const int bands = (g.in_h + band - 1) / band;
  parallel_chunks(std::int64_t{g.batch} * bands, 1, [&](std::int64_t task, std::int64_t) {
    Scratch scratch;
    const std::int64_t image = task / bands, row_size = std::int64_t{across.out} * g.channels;
    const int begin = static_cast<int>(task % bands) * band, end = std::min(g.in_h, begin + band);
    const int first = down.first_place(begin), last = down.last_place(end - 1);
    if (first >= last) return;
    float* const shares = scratch.floats((last - first) * row_size);
    for (int p = first; p < last; ++p)
      for (int q = 0; q < across.out; ++q) {
        const float* const in = dy + (image * down.out + p) * row_size + std::int64_t{q} * g.channels;
        float* const out = shares + (p - first) * row_size + std::int64_t{q} * g.channels;
        const float size = window_size(down, across, p, q, count_padding);
#pragma omp simd
        for (int c = 0; c < g.channels; ++c) out[c] = in[c] / size;
      }
    for (int i = begin; i < end; ++i)
      for (int j = 0; j < g.in_w; ++j) {
        const Window windows = windows_of(g, down, across, i, j);
        pool.add(windows.pixels, shares + windows.offset - first * row_size, g.channels,
                 dx + ((image * g.in_h + i) * g.in_w + j) * g.channels);
      }
  });
}

void global_avg_pool_forward(int batch, int pixels, int channels, const float* x, float* y) {
  constexpr int channel_block = 256;  // so that a single image, too, has work for several threads
  const int blocks = (channels + channel_block - 1) / channel_block;
  parallel_chunks(std::int64_t{batch} * blocks, 1, [&](std::int64_t task, std::int64_t) {
    const std::int64_t image = task / blocks;
    const int channel = static_cast<int>(task % blocks) * channel_block;
    const int count = std::min(channel_block, channels - channel);
    std::array<double, channel_block> sums{};
    const float* in = x + image * pixels * channels + channel;
    for (int i = 0; i < pixels; ++i, in += channels) {
#pragma omp simd
      for (int c = 0; c < count; ++c) sums[static_cast<std::size_t>(c)] += in[c];
    }
    float* const out = y + image * channels + channel;
    for (int c = 0; c < count; ++c) out[c] = static_cast<float>(sums[static_cast<std::size_t>(c)] / pixels);
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
