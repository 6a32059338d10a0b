// Convolution by Winograd's method, forward and backward data (which is a convolution of dy with turned filters).
//
// Each point xi of the transformed domain is a matrix product of its own: M[xi] = V[xi] U[xi], with V the transformed
// tiles (tiles x inputs) and U the transformed filters (inputs x outputs). It is done for some tiles and some outputs
// at a time, so few that V, U and M stay in the cache; the numbers in between hardly see main memory. Two schedules:
//   private: the filters are transformed first; then each task transforms its own tiles and makes all their outputs.
//   shared: for filters that would not fit the cache, and for few tiles. All threads transform the tiles together; then
//     each task makes some outputs of all of them, for which it transforms just the filters that it needs.
#include <algorithm>
#include <array>
#include <cstring>

#include "tensor/cpu/conv2d_methods.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/scratch.h"
#include "tensor/cpu/winograd_tiles.h"
#include "tensor/simd/kernels.h"

namespace acol::cpu::winograd {

namespace {

constexpr int most_points = 36, most_outputs = 16, taps = 9;
// Distances of rows are kept off powers of two, which would crowd a few sets of the cache.
constexpr int padding = 16;

// y = or += the convolution of x with w. The numbers of channels are those in the direction of the pass.
struct Product {
  int batch;
  Pictures<const float> x, mask;  // mask.data may be null
  Pictures<float> y;
  int pad_h, pad_w;
  const float* w;
  bool backward;  // w: (inputs, 3, 3, outputs), read from the last tap to the first; else (outputs, 3, 3, inputs)
  const float* bias;
  bool relu, accumulate;
};

// Transformed filters: point xi, panel p of `columns` outputs and input k at u[xi * point + p * panel + k * columns].
struct Filters {
  float* u;
  std::int64_t point, panel;
};

class Convolution {
 public:
  Convolution(const Product& product, const ConvPlan& plan)
      : p_(product),
        plan_(plan),
        simd_(simd_kernels()),
        transforms_(plan.method == ConvMethod::winograd4 ? simd_.winograd4 : simd_.winograd2),
        strip_(product.y.channels <= simd_.gemm.narrow.columns ? simd_.gemm.narrow : simd_.gemm.wide),
        grid_(product.y.height, product.y.width, transforms_.outputs),
        tile_count_(grid_.count(product.batch)),
        points_((transforms_.outputs + 2) * (transforms_.outputs + 2)) {}

  void run() const {
    if (plan_.shared)
      run_shared();
    else
      run_private();
  }

 private:
  // Transformed tiles, in strips of even height. Point xi of a strip of `rows` tiles that starts at tile t is the
  // matrix at v + xi * point + t * row, in the blocks that the micro-kernel reads.
  struct Tiles {
    std::int64_t first;
    int count, strips;
    float* v;
    std::int64_t point, row;

    int strip_begin(int strip) const { return strip * count / strips; }
  };

  int panels(int outputs) const { return (outputs + strip_.columns - 1) / strip_.columns; }

  Tiles tiles_from(std::int64_t first, Scratch& scratch) const {
    Tiles tiles{};
    tiles.first = first;
    tiles.count = static_cast<int>(std::min<std::int64_t>(plan_.tiles, tile_count_ - first));
    tiles.strips = (tiles.count + strip_.rows - 1) / strip_.rows;
    tiles.row = (p_.x.channels + gemm_block - 1) / gemm_block * gemm_block;
    tiles.point = tiles.count * tiles.row + padding;
    tiles.v = scratch.floats(points_ * tiles.point);
    return tiles;
  }

  void run_private() const {
    Scratch filters;
    const Filters all = transform_all_filters(filters);
    parallel_chunks(tile_count_, plan_.tiles, [&](std::int64_t first, std::int64_t) {
      Scratch scratch;
      const Tiles tiles = tiles_from(first, scratch);
      transform_tiles(tiles, 0, tiles.strips);
      for (int output = 0; output < p_.y.channels; output += plan_.outputs) make_outputs(tiles, output, &all);
    });
  }

  void run_shared() const {
    Scratch scratch;
    for (std::int64_t first = 0; first < tile_count_; first += plan_.tiles) {
      const Tiles tiles = tiles_from(first, scratch);
      parallel_chunks(tiles.strips, 1, [&](std::int64_t begin, std::int64_t end) {
        transform_tiles(tiles, static_cast<int>(begin), static_cast<int>(end));
      });
      parallel_chunks(p_.y.channels, plan_.outputs, [&](std::int64_t output, std::int64_t) {
        make_outputs(tiles, static_cast<int>(output), nullptr);
      });
    }
  }

  Filters transform_all_filters(Scratch& scratch) const {
    const int inputs = p_.x.channels, count = panels(p_.y.channels);
    Filters all;
    all.panel = std::int64_t{inputs} * strip_.columns;
    all.point = count * all.panel + padding;
    all.u = scratch.floats(points_ * all.point);
    const int parts = (inputs + plan_.inputs - 1) / plan_.inputs;
    parallel_chunks(std::int64_t{count} * parts, 1, [&](std::int64_t task, std::int64_t) {
      const int panel = static_cast<int>(task / parts), input = static_cast<int>(task % parts) * plan_.inputs;
      transform_panel(panel * strip_.columns, input, std::min(plan_.inputs, inputs - input),
                      all.u + panel * all.panel + std::int64_t{input} * strip_.columns, all.point);
    });
    return all;
  }

  // The filters of one panel of outputs, for some inputs.
  void transform_panel(int output, int input, int inputs, float* u, std::int64_t point) const {
    const int columns = strip_.columns, valid = std::min(columns, p_.y.channels - output);
    if (p_.backward && valid == columns) {
      const std::int64_t tap = p_.y.channels;
      transforms_.filter(p_.w + input * taps * tap + output, taps * tap, tap, inputs, columns, true, u, point);
      return;
    }
    // Laid out as the transform wants them: [tap][input][output], zeros for outputs that are not there.
    static thread_local Scratch scratch;
    const std::int64_t tap_stride = std::int64_t{inputs} * columns;
    float* const w = scratch.floats(taps * tap_stride);
    if (valid < columns) std::fill_n(w, taps * tap_stride, 0.0f);
    for (int tap = 0; tap < taps; ++tap) {
      if (p_.backward) {
        for (int k = 0; k < inputs; ++k)
          std::memcpy(w + tap * tap_stride + std::int64_t{k} * columns,
                      p_.w + (std::int64_t{input + k} * taps + tap) * p_.y.channels + output,
                      static_cast<std::size_t>(valid) * sizeof(float));
      } else {
        simd_.transpose(p_.w + (std::int64_t{output} * taps + tap) * p_.x.channels + input,
                        std::int64_t{taps} * p_.x.channels, valid, inputs, w + tap * tap_stride, columns);
      }
    }
    transforms_.filter(w, columns, tap_stride, inputs, columns, p_.backward, u, point);
  }

  // The outputs from `output` on, as many as the plan says, of the tiles. `all`: all filters, or null to transform them
  // here.
  void make_outputs(const Tiles& tiles, int output, const Filters* all) const {
    Scratch scratch_u, scratch_m;
    const int outputs = std::min(plan_.outputs, p_.y.channels - output), panel_count = panels(outputs);
    const std::int64_t m_row = std::int64_t{panel_count} * strip_.columns + padding,
                       m_point = tiles.count * m_row + padding;
    float* const m = scratch_m.floats(points_ * m_point);
    Filters own{};
    if (all == nullptr) {
      own.panel = std::int64_t{plan_.inputs} * strip_.columns;
      own.point = panel_count * own.panel + padding;
      own.u = scratch_u.floats(points_ * own.point);
    }

    for (int input = 0; input < p_.x.channels; input += plan_.inputs) {
      const int inputs = std::min(plan_.inputs, p_.x.channels - input);
      Filters filters = own;
      if (all != nullptr) {
        filters = *all;
        filters.u += output / strip_.columns * filters.panel + std::int64_t{input} * strip_.columns;
      } else {
        for (int panel = 0; panel < panel_count; ++panel)
          transform_panel(output + panel * strip_.columns, input, inputs, own.u + panel * own.panel, own.point);
      }
      for (int xi = 0; xi < points_; ++xi)
        multiply(tiles, xi, input, inputs, panel_count, filters.u + xi * filters.point, filters.panel, m + xi * m_point,
                 m_row);
    }
    transform_outputs(tiles, output, outputs, m, m_row, m_point);
  }

  void transform_tiles(const Tiles& tiles, int first_strip, int last_strip) const {
    static thread_local Scratch scratch;
    const int inputs = p_.x.channels;
    float* const outside = scratch.floats(inputs);
    std::fill_n(outside, inputs, 0.0f);
    std::array<const float*, most_points> pixels, mask;
    for (int strip = first_strip; strip < last_strip; ++strip) {
      const int begin = tiles.strip_begin(strip), end = tiles.strip_begin(strip + 1);
      for (int t = begin; t < end; ++t) {
        const TileGrid::Place place = grid_.at(tiles.first + t);
        const int y = place.y - p_.pad_h, x = place.x - p_.pad_w, size = grid_.side + 2;
        p_.x.point_at(place.n, y, x, size, 0, outside, pixels.data());
        if (p_.mask.data != nullptr) p_.mask.point_at(place.n, y, x, size, 0, outside, mask.data());
        transforms_.input(pixels.data(), p_.mask.data != nullptr ? mask.data() : nullptr, inputs,
                          tiles.v + begin * tiles.row + (t - begin) * gemm_block,
                          std::int64_t{end - begin} * gemm_block, tiles.point);
      }
    }
  }

  // m (tiles x outputs) = or += v (tiles x inputs) u (inputs x outputs), for point xi and the inputs from `input` on. A
  // strip of v stays in the first-level cache while the panels of u pass by.
  void multiply(const Tiles& tiles, int xi, int input, int inputs, int panel_count, const float* u,
                std::int64_t panel_stride, float* m, std::int64_t m_row) const {
    for (int strip = 0; strip < tiles.strips; ++strip) {
      const int row = tiles.strip_begin(strip), rows = tiles.strip_begin(strip + 1) - row;
      const float* const v = tiles.v + xi * tiles.point + row * tiles.row + std::int64_t{input} * rows;
      for (int panel = 0; panel < panel_count; ++panel)
        strip_.by_channels[rows - 1](inputs, v, panel == panel_count - 1 ? std::int64_t{rows} * tiles.row : 0,
                                     u + panel * panel_stride, 0,
                                     m + row * m_row + std::int64_t{panel} * strip_.columns, m_row, input > 0);
    }
  }

  void transform_outputs(const Tiles& tiles, int output, int outputs, const float* m, std::int64_t m_row,
                         std::int64_t m_point) const {
    static thread_local Scratch scratch;
    float* const outside = scratch.floats(outputs);
    std::fill_n(outside, outputs, 0.0f);
    std::array<float*, most_outputs> pixels;
    const float* const bias = p_.bias != nullptr ? p_.bias + output : nullptr;
    for (int t = 0; t < tiles.count; ++t) {
      const TileGrid::Place place = grid_.at(tiles.first + t);
      p_.y.point_at(place.n, place.y, place.x, grid_.side, output, outside, pixels.data());
      transforms_.output(m + t * m_row, m_point, outputs, bias, p_.relu, p_.accumulate, pixels.data());
    }
  }

  const Product& p_;
  const ConvPlan& plan_;
  const SimdKernels& simd_;
  const WinogradTransforms& transforms_;
  const GemmStrip& strip_;
  const TileGrid grid_;
  const std::int64_t tile_count_;
  const int points_;
};

}  // namespace

void forward(const Conv2dGeometry& g, const ConvPlan& plan, const float* x, const float* w, const float* bias,
             bool relu, float* y) {
  Product product{};
  product.batch = g.batch;
  product.x = {x, g.in_h, g.in_w, g.in_c};
  product.y = {y, g.out_h(), g.out_w(), g.out_c};
  product.pad_h = g.pad_h, product.pad_w = g.pad_w;
  product.w = w;
  product.bias = bias;
  product.relu = relu;
  Convolution(product, plan).run();
}

// dx[h, v] gathers dy[h + pad - r, v + pad - s] w[r, s]: a convolution with the filter turned and padding 2 - pad,
// which may be negative: then the border of dy is read by no pixel.
void backward_data(const Conv2dGeometry& g, const ConvPlan& plan, const float* dy, const float* relu_y, const float* w,
                   float* dx) {
  Product product{};
  product.batch = g.batch;
  product.x = {dy, g.out_h(), g.out_w(), g.out_c};
  product.mask = {relu_y, g.out_h(), g.out_w(), g.out_c};
  product.y = {dx, g.in_h, g.in_w, g.in_c};
  product.pad_h = 2 - g.pad_h, product.pad_w = 2 - g.pad_w;
  product.w = w;
  product.backward = true;
  product.accumulate = true;
  Convolution(product, plan).run();
}

}  // namespace acol::cpu::winograd
