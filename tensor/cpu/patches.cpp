#include "tensor/cpu/patches.h"

#include <algorithm>
#include <cstring>

namespace acol {

namespace {

void copy_four(const float* in, float* out) { std::memcpy(out, in, 4 * sizeof(float)); }

// As copy_floats; here so that the loop below can inline it.
inline void copy_inline(const float* in, std::int64_t count, float* out) {
  if (count < 4) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = in[i];
  } else if (count <= 128) {
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16)
      for (int j = 0; j < 16; j += 4) copy_four(in + i + j, out + i + j);
    for (; i + 4 <= count; i += 4) copy_four(in + i, out + i);
    copy_four(in + count - 4, out + count - 4);  // the rest, overlapping what is there
  } else {
    std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(float));
  }
}

// out[0 .. count) = the numbers at [begin, begin + count) of a source row of `length` numbers, zeros where outside.
void copy_clipped(const float* source, std::int64_t length, std::int64_t begin, std::int64_t count, float* out) {
  const std::int64_t first = std::clamp<std::int64_t>(-begin, 0, count);
  const std::int64_t last = std::clamp<std::int64_t>(length - begin, first, count);
  std::fill(out, out + first, 0.0f);
  if (first < last) copy_inline(source + begin + first, last - first, out + first);
  std::fill(out + last, out + count, 0.0f);
}

}  // namespace

void copy_floats(const float* in, std::int64_t count, float* out) { copy_inline(in, count, out); }

void Patches::copy(std::int64_t row, int rows, int first, int length, float* out, int stride) const {
  // Undilated, the taps of a filter row see neighbouring pixels: one run of numbers in memory. Else each tap is a run.
  const int taps_in_run = horizontal.step == 1 && horizontal.div == 1 ? horizontal.taps : 1;
  const int run = taps_in_run * channels;
  for (int done = 0; done < length;) {
    const int tap = (first + done) / run * taps_in_run, skip = (first + done) % run;
    const int count = std::min(run - skip, length - done);
    copy_run(row, rows, tap / horizontal.taps, tap % horizontal.taps, skip, count, out + done, stride);
    done += count;
  }
}

// Numbers [skip, skip + count) of the run that starts at tap (down, across).
void Patches::copy_run(std::int64_t row, int rows, int down, int across, int skip, int count, float* out,
                       int stride) const {
  const Axis axis = horizontal;  // a copy of our own, which stays in registers while floats are written
  const std::int64_t pixel_length = channels, length = axis.source * pixel_length;
  constexpr int pixels_ahead = 24;  // pixels of many channels are too far apart for the processor to guess the next
  std::int64_t line = row / axis.places;
  for (int x = static_cast<int>(row % axis.places); rows > 0; x = 0, ++line) {
    const int last = std::min(axis.places, x + rows);
    rows -= last - x;
    const int source_y = vertical.at(static_cast<int>(line % vertical.places), down);
    if (source_y < 0) {
      for (; x < last; ++x, out += stride) std::fill(out, out + count, 0.0f);
      continue;
    }
    const float* const in = source + (line / vertical.places * vertical.source + source_y) * length;
    std::int64_t pixel = x * axis.mul + axis.offset + across * axis.step;  // before the division
    for (; x < last; ++x, pixel += axis.mul, out += stride) {
      const bool between = axis.div != 1 && pixel % axis.div != 0;
      const std::int64_t begin = (axis.div == 1 ? pixel : pixel / axis.div) * pixel_length + skip;
      __builtin_prefetch(in + begin + pixels_ahead * pixel_length);
      if (between)
        std::fill(out, out + count, 0.0f);
      else if (begin >= 0 && begin + count <= length)
        copy_inline(in + begin, count, out);
      else
        copy_clipped(in, length, begin, count, out);
    }
  }
}

Patches forward_patches(const Conv2dGeometry& g, const float* x) {
  return {x,
          g.in_c,
          {g.out_h(), g.in_h, g.filter_h, g.stride_h, -g.pad_h, g.dilation_h, 1},
          {g.out_w(), g.in_w, g.filter_w, g.stride_w, -g.pad_w, g.dilation_w, 1}};
}

Patches backward_patches(const Conv2dGeometry& g, const float* dy) {
  const int offset_h = g.pad_h - (g.filter_h - 1) * g.dilation_h, offset_w = g.pad_w - (g.filter_w - 1) * g.dilation_w;
  return {dy,
          g.out_c,
          {g.in_h, g.out_h(), g.filter_h, 1, offset_h, g.dilation_h, g.stride_h},
          {g.in_w, g.out_w(), g.filter_w, 1, offset_w, g.dilation_w, g.stride_w}};
}

}  // namespace acol
