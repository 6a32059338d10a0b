// Winograd's convolution F(m x m, 3 x 3) in double, from the points alone: plain loops, which share nothing
// with tensor/simd/winograd.inl. They tell what the transforms should give, and how large the numbers are on the way.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tensor/cpu/conv2d_plan.h"
#include "tensor/geometry.h"
#include "tests/compare.h"

namespace acol::testing {

using Doubles = std::vector<double>;

struct Matrix {
  int rows, columns;
  std::array<double, 36> values{};  // row by row; the rest is not used

  Matrix(int row_count, int column_count) : rows(row_count), columns(column_count) {}
  double& at(int i, int j) { return values[static_cast<std::size_t>(i * columns + j)]; }
  double at(int i, int j) const { return values[static_cast<std::size_t>(i * columns + j)]; }

  Matrix transposed() const {
    Matrix result(columns, rows);
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < columns; ++j) result.at(j, i) = at(i, j);
    return result;
  }
  Matrix absolute() const {
    Matrix result = *this;
    for (double& value : result.values) value = std::abs(value);
    return result;
  }
};

inline Matrix operator*(const Matrix& a, const Matrix& b) {
  Matrix result(a.rows, b.columns);
  for (int i = 0; i < a.rows; ++i)
    for (int j = 0; j < b.columns; ++j)
      for (int k = 0; k < a.columns; ++k) result.at(i, j) += a.at(i, k) * b.at(k, j);
  return result;
}

// m d m^T: the transform m of each column, then of each row.
inline Matrix two_dimensional(const Matrix& m, const Matrix& d) { return m * d * m.transposed(); }

// y = A^T [(G g) * (B^T d)] for m outputs, by Toom and Cook: with the finite points p_i,
//   A^T[k][i] = p_i^k;   G[i][j] = p_i^j / prod_{q != i} (p_i - p_q);   B^T[i] = coefficients of prod_{q != i} (x -
//   p_q);
// and at infinity what each of them tends to, relative to the highest power: a one for the last k and j, the product
// over all points. The divisor may stand at either side; that of point 0 is put into B^T, so that G g starts with g[0].
struct Winograd {
  int outputs, points;
  Matrix a_t, b_t, g;

  explicit Winograd(int m) : outputs(m), points(m + 2), a_t(m, m + 2), b_t(m + 2, m + 2), g(m + 2, 3) {
    const Doubles finite =
        m == 2 ? Doubles{0, 1, -1} : Doubles{0, std::sqrt(0.5), -std::sqrt(0.5), std::sqrt(2.0), -std::sqrt(2.0)};
    for (int i = 0; i < points; ++i) {
      const bool infinity = i == points - 1;
      const double p = infinity ? 0 : finite[static_cast<std::size_t>(i)];
      Doubles polynomial(static_cast<std::size_t>(points), 0.0);  // prod (x - q), lowest power first
      polynomial[0] = 1;
      double divisor = 1;
      for (int j = 0; j < points - 1; ++j) {
        if (j == i) continue;
        const double q = finite[static_cast<std::size_t>(j)];
        if (!infinity) divisor *= p - q;
        for (std::size_t k = polynomial.size() - 1; k > 0; --k) polynomial[k] = polynomial[k - 1] - q * polynomial[k];
        polynomial[0] *= -q;
      }
      const bool in_b = !infinity && p == 0;
      for (int k = 0; k < points; ++k) b_t.at(i, k) = polynomial[static_cast<std::size_t>(k)] / (in_b ? divisor : 1);
      for (int k = 0; k < m; ++k) a_t.at(k, i) = infinity ? (k == m - 1) : std::pow(p, k);
      for (int k = 0; k < 3; ++k) g.at(i, k) = infinity ? (k == 2) : std::pow(p, k) / (in_b ? 1 : divisor);
    }
  }

  // With every factor made positive: on positive numbers, the magnitudes of what is added up.
  Winograd absolute() const {
    Winograd result = *this;
    result.a_t = a_t.absolute(), result.b_t = b_t.absolute(), result.g = g.absolute();
    return result;
  }
};

// Numbers (batch, height, width, channels) to read; outside the picture they are 0.
struct Picture {
  const std::vector<float>& values;
  int batch, height, width, channels;

  double at(int n, int y, int x, int c) const {
    if (y < 0 || y >= height || x < 0 || x >= width) return 0;
    return static_cast<double>(values[static_cast<std::size_t>(((n * height + y) * width + x) * channels + c)]);
  }
};

struct Tiling {
  int batch, down, across, side;

  Tiling(int batch_size, int height, int width, int tile_side)
      : batch(batch_size),
        down((height + tile_side - 1) / tile_side),
        across((width + tile_side - 1) / tile_side),
        side(tile_side) {}
  int count() const { return batch * down * across; }
};

// [(tile * xi + point) * channels + c] = m d m^T of the square of pixels that starts at the tile's corner less the
// pads.
inline Doubles transformed_tiles(const Matrix& m, const Picture& x, const Tiling& tiling, int pad_h, int pad_w) {
  const int points = m.rows * m.rows;
  Doubles result(static_cast<std::size_t>(tiling.count()) * points * x.channels);
  Matrix square(m.columns, m.columns);
  for (int t = 0; t < tiling.count(); ++t)
    for (int c = 0; c < x.channels; ++c) {
      const int n = t / (tiling.down * tiling.across), row = t / tiling.across % tiling.down,
                column = t % tiling.across;
      for (int i = 0; i < square.rows; ++i)
        for (int j = 0; j < square.columns; ++j)
          square.at(i, j) = x.at(n, row * tiling.side - pad_h + i, column * tiling.side - pad_w + j, c);
      const Matrix transformed = two_dimensional(m, square);
      for (int xi = 0; xi < points; ++xi)
        result[(static_cast<std::size_t>(t) * points + xi) * x.channels + c] =
            transformed.values[static_cast<std::size_t>(xi)];
    }
  return result;
}

// For each of out_h x out_w x channels outputs a picture, if its tile reads a pixel of x that holds `bad` or a NaN.
inline std::vector<bool> tile_reads(float bad, const Picture& x, int side, int pad_h, int pad_w, int out_h, int out_w,
                                    int channels) {
  Floats flags(static_cast<std::size_t>(x.batch * x.height * x.width));
  for (std::size_t i = 0; i < x.values.size(); ++i)
    if (x.values[i] == bad || std::isnan(x.values[i])) flags[i / static_cast<std::size_t>(x.channels)] = 1;
  Matrix sum(1, side + 2);
  std::fill(sum.values.begin(), sum.values.end(), 1.0);
  const Tiling tiling(x.batch, out_h, out_w, side);
  const Doubles counts = transformed_tiles(sum, {flags, x.batch, x.height, x.width, 1}, tiling, pad_h, pad_w);
  std::vector<bool> result;
  for (int n = 0; n < x.batch; ++n)
    for (int i = 0; i < out_h; ++i)
      for (int j = 0; j < out_w; ++j) {
        const int tile = (n * tiling.down + i / side) * tiling.across + j / side;
        result.insert(result.end(), static_cast<std::size_t>(channels), counts[static_cast<std::size_t>(tile)] > 0);
      }
  return result;
}

// y (batch, out_h, out_w, outputs) += the convolution of x with filters that filter(o, tap, c) tells.
template <class Filter>
void winograd_convolution(const Winograd& f, const Picture& x, const Filter& filter, int pad_h, int pad_w, int out_h,
                          int out_w, int outputs, Doubles& y) {
  const Tiling tiling(x.batch, out_h, out_w, f.outputs);
  const int points = f.points * f.points;
  const Doubles v = transformed_tiles(f.b_t, x, tiling, pad_h, pad_w);
  Doubles u(static_cast<std::size_t>(points) * x.channels);
  Matrix taps(3, 3), product(f.points, f.points);
  for (int o = 0; o < outputs; ++o) {
    for (int c = 0; c < x.channels; ++c) {
      for (int tap = 0; tap < 9; ++tap) taps.at(tap / 3, tap % 3) = filter(o, tap, c);
      const Matrix transformed = two_dimensional(f.g, taps);
      for (int xi = 0; xi < points; ++xi)
        u[static_cast<std::size_t>(xi * x.channels + c)] = transformed.values[static_cast<std::size_t>(xi)];
    }
    for (int t = 0; t < tiling.count(); ++t) {
      for (int xi = 0; xi < points; ++xi) {
        const double* const a = v.data() + (std::int64_t{t} * points + xi) * x.channels;
        const double* const b = u.data() + std::int64_t{xi} * x.channels;
        double sum = 0;
        for (int c = 0; c < x.channels; ++c) sum += a[c] * b[c];
        product.values[static_cast<std::size_t>(xi)] = sum;
      }
      const Matrix square = two_dimensional(f.a_t, product);
      const int n = t / (tiling.down * tiling.across), row = t / tiling.across % tiling.down * f.outputs;
      const int column = t % tiling.across * f.outputs;
      for (int i = 0; i < f.outputs && row + i < out_h; ++i)
        for (int j = 0; j < f.outputs && column + j < out_w; ++j)
          y[static_cast<std::size_t>(((n * out_h + row + i) * out_w + column + j) * outputs + o)] += square.at(i, j);
    }
  }
}

// The three passes, as the entries of tensor/kernels.h without ReLU; `y`, `dx` and `dw` are added to.
inline void winograd_forward(const Winograd& f, const Conv2dGeometry& g, const std::vector<float>& x,
                             const std::vector<float>& w, Doubles& y) {
  const auto filter = [&](int o, int tap, int c) {
    return static_cast<double>(w[static_cast<std::size_t>((o * 9 + tap) * g.in_c + c)]);
  };
  winograd_convolution(f, {x, g.batch, g.in_h, g.in_w, g.in_c}, filter, g.pad_h, g.pad_w, g.out_h(), g.out_w(), g.out_c,
                       y);
}

inline void winograd_backward_data(const Winograd& f, const Conv2dGeometry& g, const std::vector<float>& dy,
                                   const std::vector<float>& w, Doubles& dx) {
  const auto turned = [&](int c, int tap, int o) {
    return static_cast<double>(w[static_cast<std::size_t>((o * 9 + 8 - tap) * g.in_c + c)]);
  };
  winograd_convolution(f, {dy, g.batch, g.out_h(), g.out_w(), g.out_c}, turned, 2 - g.pad_h, 2 - g.pad_w, g.in_h,
                       g.in_w, g.in_c, dx);
}

inline void winograd_backward_weights(const Winograd& f, const Conv2dGeometry& g, const std::vector<float>& dy,
                                      const std::vector<float>& x, Doubles& dw) {
  const Tiling tiling(g.batch, g.out_h(), g.out_w(), f.outputs);
  const int points = f.points * f.points;
  const Doubles v = transformed_tiles(f.b_t, {x, g.batch, g.in_h, g.in_w, g.in_c}, tiling, g.pad_h, g.pad_w);
  const Doubles e = transformed_tiles(f.a_t.transposed(), {dy, g.batch, g.out_h(), g.out_w(), g.out_c}, tiling, 0, 0);
  Doubles sums(static_cast<std::size_t>(points) * g.in_c);
  Matrix du(f.points, f.points);
  for (int o = 0; o < g.out_c; ++o) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int t = 0; t < tiling.count(); ++t)
      for (int xi = 0; xi < points; ++xi) {
        const std::int64_t at = std::int64_t{t} * points + xi;
        const double factor = e[static_cast<std::size_t>(at * g.out_c + o)];
        for (int c = 0; c < g.in_c; ++c) sums[static_cast<std::size_t>(xi * g.in_c + c)] += factor * v[at * g.in_c + c];
      }
    for (int c = 0; c < g.in_c; ++c) {
      for (int xi = 0; xi < points; ++xi)
        du.values[static_cast<std::size_t>(xi)] = sums[static_cast<std::size_t>(xi * g.in_c + c)];
      const Matrix taps = two_dimensional(f.g.transposed(), du);
      for (int tap = 0; tap < 9; ++tap)
        dw[static_cast<std::size_t>((o * 9 + tap) * g.in_c + c)] += taps.values[static_cast<std::size_t>(tap)];
    }
  }
}

// Roundings on the way of a number through the three transforms, besides those of the sum between them: of each axis
// up to four additions and products, and the constants.
constexpr int winograd_roundings = 32;

// What a pass of F(m x m, 3 x 3) may be off by: as float_errors() of the direct sum, but of the magnitudes that pass
// through the transforms. `numbers` has x, w, bias, dy, and what dx and dw hold before.
template <class Numbers>
Tolerance winograd_tolerance(int m, ConvPass pass, const Conv2dGeometry& g, const Numbers& numbers) {
  const Winograd f = Winograd(m).absolute();
  const Floats x = absolute(numbers.x), w = absolute(numbers.w), dy = absolute(numbers.dy);
  const auto as_doubles = [](const Floats& values) {
    const Floats positive = absolute(values);
    return Doubles(positive.begin(), positive.end());
  };
  Doubles sums;
  int terms = 0;
  switch (pass) {
    case ConvPass::forward:
      for (std::int64_t i = 0; i < g.y_shape().count(); i += g.out_c)
        for (const float bias : numbers.bias) sums.push_back(static_cast<double>(std::abs(bias)));
      winograd_forward(f, g, x, w, sums);
      terms = g.in_c;
      break;
    case ConvPass::backward_data:
      sums = as_doubles(numbers.dx);
      winograd_backward_data(f, g, dy, w, sums);
      terms = g.out_c;
      break;
    case ConvPass::backward_weights:
      sums = as_doubles(numbers.dw);
      winograd_backward_weights(f, g, dy, x, sums);
      terms = Tiling(g.batch, g.out_h(), g.out_w(), m).count();
      break;
  }
  for (double& sum : sums) sum = float_error(terms + winograd_roundings, sum);
  return sums;
}

}  // namespace acol::testing
