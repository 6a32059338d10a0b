// The rows of the patch matrix ("im2col") of a convolution, made piece by piece where a block needs them.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor/geometry.h"

namespace acol {

// Row (n, y, x) holds, tap after tap, the `channels` numbers of the source pixel that tap sees, or zeros. Along an axis
// tap t of place y sees source pixel (y mul + offset + t step) / div, if that division is exact and lands inside.
//   forward:       place = output pixel, source = x:   mul = stride, offset = -pad, step = dilation,  div = 1
//   backward data: place = input pixel,  source = dy:  mul = 1,      offset = pad,  step = -dilation, div = stride
struct Patches {
  struct Axis {
    int places, source, taps, mul, offset, step, div;

    // The source pixel, or -1.
    int at(int place, int tap) const {
      const int scaled = place * mul + offset + tap * step;
      if (scaled < 0 || scaled % div != 0) return -1;
      const int pixel = scaled / div;
      return pixel < source ? pixel : -1;
    }
  };

  const float* source;
  int channels;
  Axis vertical, horizontal;

  int row_length() const { return vertical.taps * horizontal.taps * channels; }

  // out[0 .. length) = elements [first, first + length) of row `row`.
  void copy(std::int64_t row, int first, int length, float* out) const {
    const int x = static_cast<int>(row % horizontal.places);
    const std::int64_t line = row / horizontal.places;
    const int y = static_cast<int>(line % vertical.places);
    const std::int64_t image = line / vertical.places;
    int tap = first / channels, channel = first % channels;
    while (length > 0) {
      const int count = channels - channel < length ? channels - channel : length;
      const int source_y = vertical.at(y, tap / horizontal.taps);
      const int source_x = horizontal.at(x, tap % horizontal.taps);
      if (source_y < 0 || source_x < 0)
        std::memset(out, 0, static_cast<std::size_t>(count) * sizeof(float));
      else
        std::memcpy(out,
                    source + ((image * vertical.source + source_y) * horizontal.source + source_x) * channels + channel,
                    static_cast<std::size_t>(count) * sizeof(float));
      out += count;
      length -= count;
      channel = 0;
      ++tap;
    }
  }
};

inline Patches forward_patches(const Conv2dGeometry& g, const float* x) {
  return {x, g.in_c,
          {g.out_h(), g.in_h, g.filter_h, g.stride_h, -g.pad_h, g.dilation_h, 1},
          {g.out_w(), g.in_w, g.filter_w, g.stride_w, -g.pad_w, g.dilation_w, 1}};
}

inline Patches backward_patches(const Conv2dGeometry& g, const float* dy) {
  return {dy, g.out_c,
          {g.in_h, g.out_h(), g.filter_h, 1, g.pad_h, -g.dilation_h, g.stride_h},
          {g.in_w, g.out_w(), g.filter_w, 1, g.pad_w, -g.dilation_w, g.stride_w}};
}

}  // namespace acol
