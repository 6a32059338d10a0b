// Convolution of pictures with few channels, a row of y at a time. The rows of x that it sees are interleaved column by
// column into a strip with zeros around: what a pixel sees is then one run of the strip, and no patches are copied.
#include <algorithm>
#include <cstring>

#include "tensor/cpu/conv2d_methods.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/parts.h"
#include "tensor/cpu/patches.h"
#include "tensor/cpu/scratch.h"
#include "tensor/simd/kernels.h"

namespace acol::cpu::rows {

namespace {

// One row of x into the strip: pixels of Channels numbers, `step` apart. Channels known, a pixel is a load or two.
template <int Channels>
void spread(const float* in, std::int64_t pixels, int step, float* out) {
  for (std::int64_t i = 0; i < pixels; ++i, in += Channels, out += step) std::memcpy(out, in, Channels * sizeof(float));
}
using Spread = void (*)(const float* in, std::int64_t pixels, int step, float* out);
constexpr Spread spreads[conv2d_few_channels]{spread<1>, spread<2>, spread<3>, spread<4>};

// strip[(column * R + r) * C + c] = x[n, p stride - pad + r dilation, column - pad, c].
class Strip {
 public:
  // `pixels`: how many pixels of y the kernel may look at beyond the row's last, `numbers`: how far beyond a pixel's
  // own.
  Strip(const Conv2dGeometry& g, const float* x, int pixels, int numbers)
      : g_(g),
        x_(x),
        column_(g.filter_h * g.in_c),
        columns_((g.out_w() - 1) * g.stride_w + g.filter_w),
        count_(std::int64_t{column_} * (columns_ + pixels * g.stride_w) + numbers) {
    // What lies beside the picture stays 0 from row to row.
    std::fill_n(scratch_.floats(count_), count_, 0.0f);
  }

  // The strip of a row of y, row = n P + p.
  const float* fill(std::int64_t row) {
    float* const strip = scratch_.floats(count_);
    const std::int64_t n = row / g_.out_h(), p = row % g_.out_h();
    const int first = std::min(g_.pad_w, columns_), last = std::min(g_.pad_w + g_.in_w, columns_);
    for (int r = 0; r < g_.filter_h; ++r) {
      const std::int64_t y = p * g_.stride_h - g_.pad_h + std::int64_t{r} * g_.dilation_h;
      float* const out = strip + std::int64_t{first} * column_ + r * g_.in_c;
      if (y >= 0 && y < g_.in_h)
        spreads[g_.in_c - 1](x_ + (n * g_.in_h + y) * g_.in_w * g_.in_c, last - first, column_, out);
      else
        for (int i = 0; i < last - first; ++i) std::fill_n(out + std::int64_t{i} * column_, g_.in_c, 0.0f);
    }
    return strip;
  }

  // From what a pixel of y sees to what the next one does.
  int step() const { return g_.stride_w * column_; }

 private:
  const Conv2dGeometry& g_;
  const float* x_;
  const int column_, columns_;
  const std::int64_t count_;
  Scratch scratch_;
};

// Where number k of what a pixel sees, (s, r, c), is in a filter (r, s, c).
int in_filter(const Conv2dGeometry& g, int k) {
  const int c = k % g.in_c, r = k / g.in_c % g.filter_h, s = k / g.in_c / g.filter_h;
  return (r * g.filter_w + s) * g.in_c + c;
}

// Rows of y that are one task: enough to pay for a strip.
constexpr int rows_in_task = 8;

// The gradient of the filters and of the bias.
class WeightGradient {
 public:
  WeightGradient(const Conv2dGeometry& g, const float* dy, const float* relu_y, const float* x)
      : g_(g), dy_(dy), relu_y_(relu_y), x_(x) {}

  void run(float* dw, float* db) const {
    Scratch scratch;
    float* const sums = scratch.floats(slices_ * slice_floats_);
    parallel_chunks(rows_, slice_rows_, [&](std::int64_t begin, std::int64_t end) {
      add_rows(begin, end, sums + begin / slice_rows_ * slice_floats_);
    });
    parallel_chunks(depth_ + 1, 1, [&](std::int64_t k, std::int64_t) {
      if (k < depth_)
        add_slices(sums + k * outputs_, dw + in_filter(g_, static_cast<int>(k)), depth_);
      else if (db != nullptr)
        add_slices(sums + std::int64_t{padded_depth_} * outputs_, db, 1);
    });
  }

 private:
  static constexpr int most_slices = 64;

  // sums (depth x outputs, and a row for the bias) of some rows of y.
  void add_rows(std::int64_t begin, std::int64_t end, float* sums) const {
    std::fill_n(sums, slice_floats_, 0.0f);
    Strip strip(g_, x_, 0, padded_depth_ - depth_);
    Scratch scratch;
    const std::int64_t row_floats = std::int64_t{pixels_} * g_.out_c,
                       tail_floats = std::int64_t{pixels_} * kernel_.lanes;
    float* const tail = scratch.floats(2 * tail_floats + kernel_.lanes);
    float* const unused = tail + 2 * tail_floats;
    std::fill_n(unused, kernel_.lanes, 0.0f);
    float* const bias_sums = sums + std::int64_t{padded_depth_} * outputs_;
    for (std::int64_t row = begin; row < end; ++row) {
      const float* const seen = strip.fill(row);
      const std::int64_t here = row * row_floats, next = std::min(row + 1, end - 1) * row_floats;
      for (int o = 0; o < outputs_; o += kernel_.lanes) {
        // Each call asks for its part of the next row, in the order of memory.
        const std::int64_t part = next + std::min<std::int64_t>(std::int64_t{o} * pixels_, row_floats - 1);
        ConvRowGradient gradient{dy_ + here + o, nullptr, g_.out_c, dy_ + part, nullptr};
        if (relu_y_ != nullptr) gradient.relu_y = relu_y_ + here + o, gradient.next_relu_y = relu_y_ + part;
        if (g_.out_c - o < kernel_.lanes) {
          gradient.dy = widened(gradient.dy, g_.out_c - o, tail);
          if (relu_y_ != nullptr) gradient.relu_y = widened(gradient.relu_y, g_.out_c - o, tail + tail_floats);
          gradient.step = kernel_.lanes;
        }
        for (int k = 0; k < depth_; k += kernel_.depth)
          kernel_.gradient(pixels_, seen + k, strip.step(), gradient, sums + std::int64_t{k} * outputs_ + o, outputs_,
                           k == 0 ? bias_sums + o : unused);
      }
    }
  }

  // The last channels of a row, fewer than a vector has, with zeros behind.
  const float* widened(const float* in, int channels, float* out) const {
    std::fill_n(out, std::int64_t{pixels_} * kernel_.lanes, 0.0f);
    for (std::int64_t i = 0; i < pixels_; ++i) copy_floats(in + i * g_.out_c, channels, out + i * kernel_.lanes);
    return out;
  }

  // out[o * step] += the slices' sums.
  void add_slices(float* sums, float* out, std::int64_t step) const {
    for (std::int64_t slice = 1; slice < slices_; ++slice) {
      const float* const in = sums + slice * slice_floats_;
#pragma omp simd
      for (int o = 0; o < g_.out_c; ++o) sums[o] += in[o];
    }
    for (int o = 0; o < g_.out_c; ++o) out[o * step] += sums[o];
  }

  const Conv2dGeometry& g_;
  const float *dy_, *relu_y_, *x_;
  const ConvRowKernels& kernel_ = simd_kernels().conv_row;
  const int depth_ = g_.taps() * g_.in_c, padded_depth_ = rounded_up(depth_, kernel_.depth), pixels_ = g_.out_w();
  const int outputs_ = rounded_up(g_.out_c, kernel_.lanes);
  // Each slice of the rows has sums of its own: those of a row are added up in registers, then the rows' of a slice,
  // then the slices', so that no sum is long.
  const std::int64_t rows_ = std::int64_t{g_.batch} * g_.out_h();
  const std::int64_t slice_rows_ = std::max<std::int64_t>(rows_in_task, parts(rows_, most_slices));
  const std::int64_t slices_ = parts(rows_, slice_rows_), slice_floats_ = std::int64_t{padded_depth_ + 1} * outputs_;
};

}  // namespace

void forward(const Conv2dGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y) {
  const ConvRowKernels& kernel = simd_kernels().conv_row;
  const int depth = g.taps() * g.in_c, pixels = g.out_w(), outputs = rounded_up(g.out_c, kernel.columns);
  // The filters in panels of the kernel's columns, then the bias, zeros behind both.
  Scratch scratch;
  float* const panels = scratch.floats(std::int64_t{depth + 1} * outputs);
  float* const biases = panels + std::int64_t{depth} * outputs;
  std::fill_n(panels, std::int64_t{depth + 1} * outputs, 0.0f);
  for (int o = 0; o < g.out_c; ++o) {
    float* const out = panels + std::int64_t{o / kernel.columns} * depth * kernel.columns + o % kernel.columns;
    for (int k = 0; k < depth; ++k)
      out[std::int64_t{k} * kernel.columns] = w[std::int64_t{o} * depth + in_filter(g, k)];
    if (bias != nullptr) biases[o] = bias[o];
  }

  parallel_chunks(std::int64_t{g.batch} * g.out_h(), rows_in_task, [&](std::int64_t begin, std::int64_t end) {
    Strip strip(g, x, kernel.pixels, 0);
    alignas(64) float whole[gemm_max_rows * gemm_max_columns];
    for (std::int64_t row = begin; row < end; ++row) {
      const float* const seen = strip.fill(row);
      float* const out = y + row * pixels * g.out_c;
      for (int q = 0; q < pixels; q += kernel.pixels)
        for (int o = 0; o < outputs; o += kernel.columns) {
          const int height = std::min(kernel.pixels, pixels - q), width = std::min(kernel.columns, g.out_c - o);
          const bool cut = height < kernel.pixels || width < kernel.columns;
          float* const tile = out + std::int64_t{q} * g.out_c + o;
          kernel.forward(depth, seen + std::int64_t{q} * strip.step(), strip.step(), panels + std::int64_t{o} * depth,
                         biases + o, relu, cut ? whole : tile, cut ? kernel.columns : g.out_c);
          if (cut)
            for (int i = 0; i < height; ++i)
              copy_floats(whole + i * kernel.columns, width, tile + std::int64_t{i} * g.out_c);
        }
    }
  });
}

void backward_weights(const Conv2dGeometry& g, const float* dy, const float* relu_y, const float* x, float* dw,
                      float* db) {
  WeightGradient(g, dy, relu_y, x).run(dw, db);
}

}  // namespace acol::cpu::rows
