// Pools. A thread takes a pack of neighbouring channels of one pixel: forward an output pixel, which looks through its
// window, backward an input pixel, which gathers from the windows that cover it. So no two threads write the same
// number, and each is summed in the raster order of the outputs.
#include <cmath>

#include "cuda/kernels.h"
#include "cuda/pack.cuh"
#include "cuda/reduce.cuh"

namespace acol::cuda {

namespace {

// The windows along one axis: window i covers the pixels from i stride - pad on.
struct Windows {
  int in, out, size, stride, pad;

  __device__ int start(int i) const { return i * stride - pad; }
  // The taps [first, last) of window i that lie inside the image.
  __device__ int first_tap(int i) const { return std::max(0, -start(i)); }
  __device__ int last_tap(int i) const { return std::min(size, in - start(i)); }
  // The windows [first, last) that cover a pixel.
  __device__ int first_over(int pixel) const {
    const int before = pixel + pad - size;  // windows that start here or earlier end before the pixel
    return before < 0 ? 0 : before / stride + 1;
  }
  __device__ int last_over(int pixel) const { return std::min(out, (pixel + pad) / stride + 1); }
};

// A pool as its kernels need it.
struct Pool {
  int batch, channels;
  Windows down, across;

  explicit Pool(const Pool2dGeometry& g)
      : batch(g.batch),
        channels(g.channels),
        down{g.in_h, g.out_h(), g.window_h, g.stride_h, g.pad_h},
        across{g.in_w, g.out_w(), g.window_w, g.stride_w, g.pad_w} {}

  // Where the channels of a pixel of x begin, or of y.
  __device__ std::int64_t in(int n, int h, int w) const {
    return ((static_cast<std::int64_t>(n) * down.in + h) * across.in + w) * channels;
  }
  __device__ std::int64_t out(int n, int p, int q) const {
    return ((static_cast<std::int64_t>(n) * down.out + p) * across.out + q) * channels;
  }

  // body(h, w, tap) for the taps of window (p, q) inside the image, in raster order.
  template <class Body>
  __device__ void for_each_tap(int p, int q, const Body& body) const {
    for (int r = down.first_tap(p); r < down.last_tap(p); ++r)
      for (int s = across.first_tap(q); s < across.last_tap(q); ++s)
        body(down.start(p) + r, across.start(q) + s, r * across.size + s);
  }
  // body(p, q, tap) for the windows over pixel (h, w), in raster order; `tap`: where in the window it lies.
  template <class Body>
  __device__ void for_each_window(int h, int w, const Body& body) const {
    for (int p = down.first_over(h); p < down.last_over(h); ++p)
      for (int q = across.first_over(w); q < across.last_over(w); ++q)
        body(p, q, (h - down.start(p)) * across.size + w - across.start(q));
  }

  // What an average pool divides the sum over window (p, q) by. No window reaches beyond the padding.
  __device__ float divisor(int p, int q, bool count_padding) const {
    return static_cast<float>(count_padding ? down.size * across.size
                                            : (down.last_tap(p) - down.first_tap(p)) *
                                                  (across.last_tap(q) - across.first_tap(q)));
  }
};

// body(n, p, q, c) for the packs of y that are this thread's, and body(n, h, w, c) for those of x.
template <int width, class Body>
__device__ void for_each_pack(const Pool& pool, int rows, int pixels, const Body& body) {
  const int packs = pool.channels / width;
  for_each_in_rows(pool.batch, rows, pixels * packs,
                   [&](int n, int row, int i) { body(n, row, i / packs, i % packs * width); });
}

template <int width, class T>
__global__ void max_pool_forward_kernel(Pool pool, bool aligned, const T* x, T* y, std::uint8_t* winner) {
  for_each_pack<width>(pool, pool.down.out, pool.across.out, [&](int n, int p, int q, int c) {
    Pack<float, width> best = {};
    Pack<std::uint8_t, width> won = {};
    bool first = true;
    pool.for_each_tap(p, q, [&](int h, int w, int tap) {
      const auto pack = load<width>(x + pool.in(n, h, w) + c, aligned);
      for (int i = 0; i < width; ++i) {
        // A later value must be larger, or the first NaN.
        if (first || pack.at[i] > best.at[i] || (std::isnan(pack.at[i]) && !std::isnan(best.at[i]))) {
          best.at[i] = pack.at[i];
          won.at[i] = static_cast<std::uint8_t>(tap);
        }
      }
      first = false;
    });
    store<width>(best, y + pool.out(n, p, q) + c, aligned);
    store<width>(won, winner + pool.out(n, p, q) + c, aligned);
  });
}

template <int width, class T>
__global__ void max_pool_backward_kernel(Pool pool, bool aligned, const T* dy, const std::uint8_t* winner, T* dx) {
  for_each_pack<width>(pool, pool.down.in, pool.across.in, [&](int n, int h, int w, int c) {
    T* const to = dx + pool.in(n, h, w) + c;
    auto sum = load<width>(to, aligned);
    pool.for_each_window(h, w, [&](int p, int q, int tap) {
      const auto gradient = load<width>(dy + pool.out(n, p, q) + c, aligned);
      const auto won = load<width>(winner + pool.out(n, p, q) + c, aligned);
      for (int i = 0; i < width; ++i) sum.at[i] += won.at[i] == tap ? gradient.at[i] : 0.0f;
    });
    store<width>(sum, to, aligned);
  });
}

template <int width, class T>
__global__ void avg_pool_forward_kernel(Pool pool, bool count_padding, bool aligned, const T* x, T* y) {
  for_each_pack<width>(pool, pool.down.out, pool.across.out, [&](int n, int p, int q, int c) {
    Pack<float, width> sum = {};
    pool.for_each_tap(p, q, [&](int h, int w, int) {
      const auto pack = load<width>(x + pool.in(n, h, w) + c, aligned);
      for (int i = 0; i < width; ++i) sum.at[i] += pack.at[i];
    });
    for (int i = 0; i < width; ++i) sum.at[i] /= pool.divisor(p, q, count_padding);
    store<width>(sum, y + pool.out(n, p, q) + c, aligned);
  });
}

template <int width, class T>
__global__ void avg_pool_backward_kernel(Pool pool, bool count_padding, bool aligned, const T* dy, T* dx) {
  for_each_pack<width>(pool, pool.down.in, pool.across.in, [&](int n, int h, int w, int c) {
    T* const to = dx + pool.in(n, h, w) + c;
    auto sum = load<width>(to, aligned);
    pool.for_each_window(h, w, [&](int p, int q, int) {
      const auto gradient = load<width>(dy + pool.out(n, p, q) + c, aligned);
      const float divisor = pool.divisor(p, q, count_padding);
      for (int i = 0; i < width; ++i) sum.at[i] += gradient.at[i] / divisor;
    });
    store<width>(sum, to, aligned);
  });
}

// The mean over the pixels: images are groups, pixels rows.
struct AddPixel {
  __device__ void operator()(int, const float (&x)[1], double (&sum)[1]) const { sum[0] += x[0]; }
};

struct StoreMean {
  int pixels, channels;
  float* y;

  __device__ void operator()(int n, int c, const double (&sum)[1]) const {
    y[static_cast<std::int64_t>(n) * channels + c] = static_cast<float>(sum[0] / pixels);
  }
};

template <int width, class T>
__global__ void global_avg_pool_backward_kernel(int batch, int pixels, int channels, bool aligned, const float* dy,
                                                T* dx) {
  for_each_in_rows(batch, pixels, channels / width, [&](int n, int pixel, int i) {
    const auto gradient = load<width>(dy + static_cast<std::int64_t>(n) * channels + i * width, aligned);
    T* const to = dx + (static_cast<std::int64_t>(n) * pixels + pixel) * channels + i * width;
    auto sum = load<width>(to, aligned);
    for (int k = 0; k < width; ++k) sum.at[k] += gradient.at[k] / static_cast<float>(pixels);
    store<width>(sum, to, aligned);
  });
}

Grid grid_over_y(const Pool2dGeometry& g, int width) {
  return grid_for_rows(g.batch, g.out_h(), g.out_w() * (g.channels / width));
}
Grid grid_over_x(const Pool2dGeometry& g, int width) {
  return grid_for_rows(g.batch, g.in_h, g.in_w * (g.channels / width));
}

}  // namespace

template <class T>
void max_pool_forward(const Pool2dGeometry& g, const T* x, T* y, std::uint8_t* winner) {
  with_width(g.channels, [&](auto width) {
    launch("max_pool_forward", max_pool_forward_kernel<width(), T>, grid_over_y(g, width), Pool(g),
           aligned(width, x, y, winner), x, y, winner);
  });
}

template <class T>
void max_pool_backward(const Pool2dGeometry& g, const T* dy, const std::uint8_t* winner, T* dx) {
  with_width(g.channels, [&](auto width) {
    launch("max_pool_backward", max_pool_backward_kernel<width(), T>, grid_over_x(g, width), Pool(g),
           aligned(width, dy, winner, dx), dy, winner, dx);
  });
}

template <class T>
void avg_pool_forward(const Pool2dGeometry& g, bool count_padding, const T* x, T* y) {
  with_width(g.channels, [&](auto width) {
    launch("avg_pool_forward", avg_pool_forward_kernel<width(), T>, grid_over_y(g, width), Pool(g), count_padding,
           aligned(width, x, y), x, y);
  });
}

template <class T>
void avg_pool_backward(const Pool2dGeometry& g, bool count_padding, const T* dy, T* dx) {
  with_width(g.channels, [&](auto width) {
    launch("avg_pool_backward", avg_pool_backward_kernel<width(), T>, grid_over_x(g, width), Pool(g), count_padding,
           aligned(width, dy, dx), dy, dx);
  });
}

template <class T>
void global_avg_pool_forward(int batch, int pixels, int channels, const T* x, float* y) {
  sum_rows<1>("global_avg_pool_forward", batch, pixels, channels, Matrices<1, T>{x}, AddPixel{},
              StoreMean{pixels, channels, y});
}

template <class T>
void global_avg_pool_backward(int batch, int pixels, int channels, const float* dy, T* dx) {
  with_width(channels, [&](auto width) {
    launch("global_avg_pool_backward", global_avg_pool_backward_kernel<width(), T>,
           grid_for_rows(batch, pixels, channels / width), batch, pixels, channels, aligned(width, dy, dx), dy, dx);
  });
}

template void max_pool_forward(const Pool2dGeometry&, const float*, float*, std::uint8_t*);
template void max_pool_backward(const Pool2dGeometry&, const float*, const std::uint8_t*, float*);
template void avg_pool_forward(const Pool2dGeometry&, bool, const float*, float*);
template void avg_pool_backward(const Pool2dGeometry&, bool, const float*, float*);
template void global_avg_pool_forward(int, int, int, const float*, float*);
template void global_avg_pool_backward(int, int, int, const float*, float*);

template void max_pool_forward(const Pool2dGeometry&, const Bf16*, Bf16*, std::uint8_t*);
template void max_pool_backward(const Pool2dGeometry&, const Bf16*, const std::uint8_t*, Bf16*);
template void avg_pool_forward(const Pool2dGeometry&, bool, const Bf16*, Bf16*);
template void avg_pool_backward(const Pool2dGeometry&, bool, const Bf16*, Bf16*);
template void global_avg_pool_forward(int, int, int, const Bf16*, float*);
template void global_avg_pool_backward(int, int, int, const float*, Bf16*);

}  // namespace acol::cuda
