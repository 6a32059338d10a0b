// The rows of the patch matrix ("im2col") of a convolution, made piece by piece where a block needs them.
#pragma once

#include <cstdint>

#include "tensor/geometry.h"

namespace acol {

// Row (n, y, x) holds, tap after tap, the `channels` numbers of the source pixel that tap sees, or zeros. Along an axis
// tap t of place y sees source pixel (y mul + offset + t step) / div, if that division is exact and lands inside.
//   forward:       place = output pixel, source = x:   mul = stride, offset = -pad, step = dilation, div = 1
//   backward data: place = input pixel,  source = dy:  mul = 1, step = dilation, div = stride, and the taps run from
//   the
//                  last to the first: offset = pad - (taps - 1) dilation
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

  // out[i * stride + j] = element first + j of row row + i, for i in [0, rows), j in [0, length).
  void copy(std::int64_t row, int rows, int first, int length, float* out, int stride) const;

 private:
  void copy_run(std::int64_t row, int rows, int down, int across, int skip, int count, float* out, int stride) const;
};

Patches forward_patches(const Conv2dGeometry& g, const float* x);
Patches backward_patches(const Conv2dGeometry& g, const float* dy);

// out[0 .. count) = in[0 .. count): for the short pieces that patches are made of, where a call of memcpy would cost
// more than the copy.
void copy_floats(const float* in, std::int64_t count, float* out);

}  // namespace acol
