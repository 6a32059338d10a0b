// The matrices of a convolution's three products. Only filters and dy lie in memory as such; the rest are ways to
// index.
//
//   pass              C (m x n)       +=  A (m x k)                         B (k x n)
//   forward           y   (npq, o)        x  read at (npq, rsc)             w (o, rsc), transposed
//   backward data     dx  (nhw, c)        dy read at (nhw, rso)             w read at (rso, c)
//   backward weights  dw  (o, rsc)        dy (npq, o), transposed           x read at (npq, rsc)
//
// Letters that stand together are one index: npq = (n P + p) Q + q. A "patch" is what one pixel's window sees of an
// image: a row of the matrix "x read at (npq, rsc)". In backward data an input pixel's window consists of the outputs
// that read it, so that dy is read just as x is in forward, with other numbers in the Axis below.
//
// An operand, A or B, says where its elements lie: `row` is an element's index in m or n, `depth` the one in k.
//   Row row(i), Depth depth(i)   what is worth keeping of an index i
//   offset(row, depth)           the element's index in `data`; negative: there is none, and it counts as 0
//   next(Row&) or next(Depth&)   to the element that comes next in memory: along the depth if `along_depth`
//   advance(Depth&)              on by panel_depth; false if that moves every offset by step(), and there is no need to
//                                ask for it again
// With `masked` an element also counts as 0 where `relu_y`, if there is one, is not above 0. `Number` is the type of
// what lies in memory: filters are floats, all else is T.
#pragma once

#include <cstdint>
#include <limits>

#include "cuda/launch.cuh"
#include "tensor/geometry.h"

namespace acol::cuda::simt {

// How far a product goes along its depth between two barriers.
constexpr int panel_depth = 8;

// Negative, and it stays so when offsets are added to it.
constexpr std::int64_t nowhere = std::numeric_limits<std::int64_t>::min() / 4;

struct Pixel {
  int n, p, q;
};

// An index n P Q + p Q + q as a pixel. n counts on beyond the batch.
class PixelIndex {
 public:
  PixelIndex(int height, int width) : height_(height), width_(width), step_(place(panel_depth)) {}

  __host__ __device__ Pixel place(std::int64_t index) const {
    const std::int64_t line = index / width_;
    return {static_cast<int>(line / height_), static_cast<int>(line % height_), static_cast<int>(index % width_)};
  }
  // By panel_depth, and without a division, which would cost more than the rest of an address.
  __device__ void advance(Pixel& at) const {
    at.q += step_.q;
    const bool next_line = at.q >= width_;
    if (next_line) at.q -= width_;
    at.p += step_.p + (next_line ? 1 : 0);
    const bool next_image = at.p >= height_;
    if (next_image) at.p -= height_;
    at.n += step_.n + (next_image ? 1 : 0);
  }

 private:
  int height_, width_;
  Pixel step_;
};

// A number of a filter, in tap r S + s.
struct Tap {
  int tap, channel;
};

// An index (r S + s) C + c as a tap. The tap counts on beyond the filter.
struct TapIndex {
  int channels;

  __device__ Tap place(std::int64_t index) const {
    return {static_cast<int>(index / channels), static_cast<int>(index % channels)};
  }
  // Returns whether the tap is another one.
  __device__ bool advance(Tap& at, int by) const {
    at.channel += by;
    if (at.channel < channels) return false;
    for (; at.channel >= channels; at.channel -= channels) ++at.tap;
    return true;
  }
};

// One axis of an image: window place a sees the pixel (a factor + offset + tap tap_step) / divisor with a tap, if that
// is whole and inside.
struct Axis {
  int factor, offset, tap_step, divisor, size;

  // Negative: none.
  template <bool divides>
  __device__ int pixel(int scaled) const {
    if constexpr (!divides)
      return scaled < size ? scaled : -1;
    else
      return scaled >= 0 && scaled % divisor == 0 && scaled / divisor < size ? scaled / divisor : -1;
  }
};

// An image (batch, height, width, channels) as windows see it. `divides`: the divisors are not both 1.
template <bool divides>
struct Patches {
  std::int64_t image_size, line_size;  // numbers in an image, in one line of its pixels
  Axis height, width;
  int batch, taps_high, taps_wide;
  PixelIndex pixels;  // where a window is
  TapIndex taps;      // a number in the window

  // What a pixel and a tap each have to say: their sum tells where the tap sees.
  struct Share {
    int h, w;
    std::int64_t offset;
  };
  __device__ Share of_pixel(const Pixel& at) const {
    return {at.p * height.factor + height.offset, at.q * width.factor + width.offset,
            at.n < batch ? at.n * image_size : nowhere};
  }
  __device__ Share of_tap(const Tap& at) const {
    const int r = at.tap / taps_wide, s = at.tap % taps_wide;
    return {r * height.tap_step, s * width.tap_step, r < taps_high ? at.channel : nowhere};
  }
  __device__ std::int64_t offset(const Share& pixel, const Share& tap) const {
    const int h = height.pixel<divides>(pixel.h + tap.h), w = width.pixel<divides>(pixel.w + tap.w);
    if (h < 0 || w < 0) return nowhere;
    return pixel.offset + tap.offset + h * line_size + static_cast<std::int64_t>(w) * taps.channels;
  }
};

// x as forward reads it: output (p, q) sees x at (p stride - pad + r dilation, ...).
inline Patches<false> input_patches(const Conv2dGeometry& g) {
  const std::int64_t line_size = std::int64_t{g.in_w} * g.in_c;
  return {g.in_h * line_size,
          line_size,
          {g.stride_h, -g.pad_h, g.dilation_h, 1, g.in_h},
          {g.stride_w, -g.pad_w, g.dilation_w, 1, g.in_w},
          g.batch,
          g.filter_h,
          g.filter_w,
          {g.out_h(), g.out_w()},
          {g.in_c}};
}

// dy as backward data reads it. The same equation solved for p: input (h, w) is seen by output ((h + pad - r dilation)
// / stride, ...).
template <bool divides>
Patches<divides> output_patches(const Conv2dGeometry& g) {
  const std::int64_t line_size = std::int64_t{g.out_w()} * g.out_c;
  return {g.out_h() * line_size,
          line_size,
          {1, g.pad_h, -g.dilation_h, g.stride_h, g.out_h()},
          {1, g.pad_w, -g.dilation_w, g.stride_w, g.out_w()},
          g.batch,
          g.filter_h,
          g.filter_w,
          {g.in_h, g.in_w},
          {g.out_c}};
}

// A of forward and of backward data: one patch a row.
template <class T, bool masked_, bool divides>
struct PatchesAlongDepth {
  using Number = T;
  static constexpr bool along_depth = true, masked = masked_;
  using Row = typename Patches<divides>::Share;  // the pixel's
  using Depth = Tap;

  const T *data, *relu_y;
  Patches<divides> patches;

  __device__ Row row(std::int64_t index) const { return patches.of_pixel(patches.pixels.place(index)); }
  __device__ Depth depth(std::int64_t index) const { return patches.taps.place(index); }
  __device__ std::int64_t offset(const Row& pixel, const Depth& tap) const {
    return patches.offset(pixel, patches.of_tap(tap));
  }
  __device__ void next(Depth& tap) const { patches.taps.advance(tap, 1); }
  __device__ bool advance(Depth& tap) const { return patches.taps.advance(tap, panel_depth); }
  __device__ std::int64_t step() const { return panel_depth; }
};

// B of backward weights: one patch a step of the depth.
template <class T>
struct PatchesAcrossDepth {
  using Number = T;
  static constexpr bool along_depth = false, masked = false;
  using Row = Tap;
  using Depth = Pixel;

  const T *data, *relu_y;
  Patches<false> patches;

  __device__ Row row(std::int64_t index) const { return patches.taps.place(index); }
  __device__ Depth depth(std::int64_t index) const { return patches.pixels.place(index); }
  __device__ std::int64_t offset(const Row& tap, const Depth& pixel) const {
    return patches.offset(patches.of_pixel(pixel), patches.of_tap(tap));
  }
  __device__ void next(Row& tap) const { patches.taps.advance(tap, 1); }
  // Always true: this pixel or the last may lie in the padding.
  __device__ bool advance(Depth& pixel) const {
    patches.pixels.advance(pixel);
    return true;
  }
  __device__ std::int64_t step() const { return 0; }
};

// B of forward: a matrix of `lines` x `length` in memory, one line a row. A line is a filter: fewer than 2^31 numbers.
struct MatrixAlongDepth {
  using Number = float;
  static constexpr bool along_depth = true, masked = false;
  using Row = std::int64_t;  // where the line begins
  using Depth = int;         // the index in the line

  const float *data, *relu_y;
  int lines, length;

  __device__ Row row(std::int64_t index) const { return index < lines ? index * length : nowhere; }
  __device__ Depth depth(std::int64_t index) const { return static_cast<int>(index); }
  __device__ std::int64_t offset(Row line, Depth at) const { return at < length ? line + at : nowhere; }
  __device__ void next(Depth& at) const { ++at; }
  __device__ bool advance(Depth& at) const {
    at += panel_depth;
    return at >= length;
  }
  __device__ std::int64_t step() const { return panel_depth; }
};

// A of backward weights: one line a step of the depth.
template <class T>
struct MatrixAcrossDepth {
  using Number = T;
  static constexpr bool along_depth = false, masked = true;
  using Row = std::int64_t;    // the index in the line
  using Depth = std::int64_t;  // where the line begins

  const T *data, *relu_y;
  std::int64_t lines, length;

  __device__ Row row(std::int64_t index) const { return index; }
  __device__ Depth depth(std::int64_t index) const { return index * length; }
  __device__ std::int64_t offset(Row at, Depth line) const {
    return at < length && line < lines * length ? line + at : nowhere;
  }
  __device__ void next(Row& at) const { ++at; }
  __device__ bool advance(Depth& line) const {
    line += panel_depth * length;
    return line >= lines * length;
  }
  __device__ std::int64_t step() const { return panel_depth * length; }
};

// B of backward data: the filters (o, r, s, c), with o along the depth.
struct FiltersAcrossDepth {
  using Number = float;
  static constexpr bool along_depth = false, masked = false;
  using Row = int;    // c
  using Depth = Tap;  // its channel is o

  const float *data, *relu_y;
  TapIndex taps;
  int tap_count, in_channels;
  std::int64_t filter_size;  // R S C

  __device__ Row row(std::int64_t index) const { return static_cast<int>(index); }
  __device__ Depth depth(std::int64_t index) const { return taps.place(index); }
  __device__ std::int64_t offset(Row c, const Depth& at) const {
    if (c >= in_channels || at.tap >= tap_count) return nowhere;
    return at.channel * filter_size + static_cast<std::int64_t>(at.tap) * in_channels + c;
  }
  __device__ void next(Row& c) const { ++c; }
  __device__ bool advance(Depth& at) const { return taps.advance(at, panel_depth); }
  __device__ std::int64_t step() const { return panel_depth * filter_size; }
};

}  // namespace acol::cuda::simt
