// Winograd's convolution: the method in double, and the transforms of every SIMD level.
#include <doctest/doctest.h>

// As the library is built: the kernels of every level are declared.
#if defined(__x86_64__) && !defined(ACOL_HAVE_X86_LEVELS)
#define ACOL_HAVE_X86_LEVELS
#endif

#include <cmath>

#include "tensor/simd/kernels.h"
#include "tests/compare.h"
#include "tests/winograd_reference.h"

using namespace acol;
using namespace acol::testing;

namespace {

constexpr int channel_counts[] = {1, 3, 4, 15, 16, 17, 31, 33, 200};
constexpr float untouched = 12345;

const SimdKernels& kernels_of(SimdLevel level) {
#if defined(ACOL_HAVE_X86_LEVELS)
  if (level == SimdLevel::avx512) return simd_kernels_avx512();
  if (level == SimdLevel::avx2) return simd_kernels_avx2();
#endif
  return simd_kernels_scalar();
}

// Calls body(transforms, matrices, channels, number) for both tile sizes, all levels and numbers of channels.
template <class Body>
void for_each_transform(const Body& body) {
  std::uint32_t number = 0;
  for (const SimdLevel level : supported_levels())
    for (const int m : {2, 4})
      for (const int channels : channel_counts) {
        INFO(simd_name(level), ", F(", m, "), channels ", channels);
        const WinogradTransforms& transforms = m == 4 ? kernels_of(level).winograd4 : kernels_of(level).winograd2;
        REQUIRE(transforms.outputs == m);
        body(transforms, Winograd(m), channels, number++);
      }
}

// What a transform should leave in a buffer: some numbers within tolerances, all others as they were.
struct Expected {
  Buffer<double> values;
  Tolerance tolerance;

  explicit Expected(const Floats& before)
      : values(before), tolerance(exactly(static_cast<std::int64_t>(before.size()))) {}
  void set(std::int64_t at, double value, double magnitude) {
    tolerance.at(static_cast<std::size_t>(at)) = float_error(winograd_roundings, magnitude);
    values.data()[at] = value;
  }
  void check(const Buffer<float>& got) const { CHECK(mismatch(got, values, tolerance) == ""); }
};

// Pixels far from each other and not in order; every fifth or so points to one that is `outside` the picture.
struct Pixels {
  int count, distance;
  Floats numbers;
  std::vector<std::int64_t> places;

  Pixels(int pixel_count, int channels, RandomStream& random, bool outside_is_shared = true)
      : count(pixel_count),
        distance(channels + 3),
        numbers(uniform(random, (pixel_count + 1) * std::int64_t{distance})) {
    for (int i = 0; i < count; ++i) {
      const bool outside = outside_is_shared && random.below(5) == 0;
      places.push_back((outside ? count : (i * 5 + 3) % 37 % count) * std::int64_t{distance});
    }
    if (outside_is_shared) std::fill(numbers.end() - distance, numbers.end(), 0.0f);
    if (!outside_is_shared)
      for (int i = 0; i < count; ++i) places[static_cast<std::size_t>(i)] = (count - 1 - i) * std::int64_t{distance};
  }
  double at(int pixel, int c) const {
    return static_cast<double>(numbers[static_cast<std::size_t>(places[static_cast<std::size_t>(pixel)] + c)]);
  }
  template <class T>
  std::vector<T*> pointers(T* data) const {
    std::vector<T*> result;
    for (const std::int64_t place : places) result.push_back(data + place);
    return result;
  }
};

// `input` and `output_gradient`: squares of pixels, masked or not, into blocks of 16 channels.
template <class Call>
void check_pixel_transform(const Matrix& m, int channels, std::uint32_t number, const Call& call) {
  RandomStream random = test_stream(11, number);
  const Pixels pixels(m.columns * m.columns, channels, random), mask(m.columns * m.columns, channels, random);
  const long block = 16 * 3 + 5, stride = (channels + 15) / 16 * block + 7;
  const Buffer<float> x(pixels.numbers), mask_x(mask.numbers);
  const auto x_at = pixels.pointers(x.data()), mask_at = mask.pointers(mask_x.data());
  for (const bool masked : {false, true}) {
    INFO(masked);
    const Floats before(static_cast<std::size_t>(m.rows * m.rows * stride), untouched);
    Buffer<float> got(before);
    call(x_at.data(), masked ? mask_at.data() : nullptr, got.data(), block, stride);
    Expected expected(before);
    Matrix square(m.columns, m.columns);
    for (int c = 0; c < channels; ++c) {
      for (int i = 0; i < pixels.count; ++i)
        square.values[static_cast<std::size_t>(i)] = masked && !(mask.at(i, c) > 0) ? 0 : pixels.at(i, c);
      const Matrix want = two_dimensional(m, square), size = two_dimensional(m.absolute(), square.absolute());
      for (int xi = 0; xi < m.rows * m.rows; ++xi)
        expected.set(xi * stride + c / 16 * block + c % 16, want.values[static_cast<std::size_t>(xi)],
                     size.values[static_cast<std::size_t>(xi)]);
    }
    expected.check(got);
  }
}

}  // namespace

TEST_CASE("winograd: the matrices give the convolution, in one dimension and in two") {
  RandomStream random = test_stream(10);
  for (const int m : {2, 4}) {
    INFO(m);
    const Winograd f(m);
    Matrix d(m + 2, 1), g(3, 1), d2(m + 2, m + 2), g2(3, 3);
    for (Matrix* const matrix : {&d, &g, &d2, &g2})
      for (double& value : matrix->values) value = static_cast<double>(random.uniform(-1, 1));

    Matrix products = f.g * g;
    const Matrix values = f.b_t * d;
    for (std::size_t i = 0; i < products.values.size(); ++i) products.values[i] *= values.values[i];
    const Matrix y = f.a_t * products;
    for (int k = 0; k < m; ++k)
      CHECK(std::abs(y.at(k, 0) -
                     (d.at(k, 0) * g.at(0, 0) + d.at(k + 1, 0) * g.at(1, 0) + d.at(k + 2, 0) * g.at(2, 0))) < 1e-14);

    Matrix products2 = two_dimensional(f.g, g2);
    const Matrix values2 = two_dimensional(f.b_t, d2);
    for (std::size_t i = 0; i < products2.values.size(); ++i) products2.values[i] *= values2.values[i];
    const Matrix y2 = two_dimensional(f.a_t, products2);
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < m; ++j) {
        double sum = 0;
        for (int tap = 0; tap < 9; ++tap) sum += d2.at(i + tap / 3, j + tap % 3) * g2.at(tap / 3, tap % 3);
        CHECK(std::abs(y2.at(i, j) - sum) < 1e-13);
      }
  }
}

TEST_CASE("winograd: transforms of inputs and of output gradients") {
  for_each_transform([](const WinogradTransforms& t, const Winograd& f, int channels, std::uint32_t number) {
    check_pixel_transform(f.b_t, channels, number,
                          [&](const float* const* pixels, const float* const* mask, float* out, long block,
                              long stride) { t.input(pixels, mask, channels, out, block, stride); });
    check_pixel_transform(f.a_t.transposed(), channels, number,
                          [&](const float* const* pixels, const float* const* mask, float* out, long block,
                              long stride) { t.output_gradient(pixels, mask, channels, out, block, stride); });
  });
}

TEST_CASE("winograd: the transform of outputs") {
  for_each_transform([](const WinogradTransforms& t, const Winograd& f, int channels, std::uint32_t number) {
    RandomStream random = test_stream(13, number);
    const long stride = channels + 5;
    const int points = f.points * f.points;
    const Floats m_before = uniform(random, points * stride), bias_before = uniform(random, channels);
    const Buffer<float> m(m_before), bias(bias_before);
    const Pixels pixels(f.outputs * f.outputs, channels, random, false);
    for (int flags = 0; flags < 8; ++flags) {
      const bool with_bias = flags & 1, relu = flags & 2, accumulate = flags & 4;
      INFO("bias ", with_bias, " relu ", relu, " accumulate ", accumulate);
      // What is to be assigned starts as NaN; the gaps between the pixels hold a number that must stay.
      Floats before(pixels.numbers.size(), untouched);
      for (const std::int64_t place : pixels.places)
        for (int c = 0; c < channels; ++c) {
          const auto at = static_cast<std::size_t>(place + c);
          before[at] = accumulate ? pixels.numbers[at] : NAN;
        }
      Buffer<float> got(before);
      t.output(m.data(), stride, channels, with_bias ? bias.data() : nullptr, relu, accumulate,
               pixels.pointers(got.data()).data());

      Expected expected(before);
      Matrix square(f.points, f.points);
      for (int c = 0; c < channels; ++c) {
        for (int xi = 0; xi < points; ++xi)
          square.values[static_cast<std::size_t>(xi)] = static_cast<double>(m[xi * stride + c]);
        const Matrix want = two_dimensional(f.a_t, square), size = two_dimensional(f.a_t.absolute(), square.absolute());
        for (int i = 0; i < pixels.count; ++i) {
          const double old = accumulate ? pixels.at(i, c) : 0, b = with_bias ? static_cast<double>(bias[c]) : 0;
          const double value = want.values[static_cast<std::size_t>(i)] + old + b;
          expected.set(pixels.places[static_cast<std::size_t>(i)] + c, relu ? std::max(value, 0.0) : value,
                       size.values[static_cast<std::size_t>(i)] + std::abs(old) + std::abs(b));
        }
      }
      expected.check(got);
    }
  });
}

TEST_CASE("winograd: transforms of filters and of their gradients") {
  for_each_transform([](const WinogradTransforms& t, const Winograd& f, int channels, std::uint32_t number) {
    RandomStream random = test_stream(14, number);
    const int points = f.points * f.points, rows = 3;
    const long tap_stride = channels + 2, row_stride = 9 * tap_stride + 4, stride = rows * channels + 6;
    const Buffer<float> w(uniform(random, rows * row_stride));
    Matrix taps(3, 3);
    for (const bool flipped : {false, true}) {
      INFO(flipped);
      const Floats before(static_cast<std::size_t>(points * stride), untouched);
      Buffer<float> got(before);
      t.filter(w.data(), row_stride, tap_stride, rows, channels, flipped, got.data(), stride);
      Expected expected(before);
      for (int row = 0; row < rows; ++row)
        for (int c = 0; c < channels; ++c) {
          for (int tap = 0; tap < 9; ++tap)
            taps.values[static_cast<std::size_t>(flipped ? 8 - tap : tap)] =
                static_cast<double>(w[row * row_stride + tap * tap_stride + c]);
          const Matrix want = two_dimensional(f.g, taps), size = two_dimensional(f.g.absolute(), taps.absolute());
          for (int xi = 0; xi < points; ++xi)
            expected.set(xi * stride + row * channels + c, want.values[static_cast<std::size_t>(xi)],
                         size.values[static_cast<std::size_t>(xi)]);
        }
      expected.check(got);
    }

    const Buffer<float> du(uniform(random, points * stride));
    const Floats before = uniform(random, 9 * tap_stride);
    Buffer<float> got(before);
    t.filter_gradient(du.data(), stride, channels, got.data(), tap_stride);
    Expected expected(before);
    Matrix square(f.points, f.points);
    for (int c = 0; c < channels; ++c) {
      for (int xi = 0; xi < points; ++xi)
        square.values[static_cast<std::size_t>(xi)] = static_cast<double>(du[xi * stride + c]);
      const Matrix g_t = f.g.transposed();
      const Matrix want = two_dimensional(g_t, square), size = two_dimensional(g_t.absolute(), square.absolute());
      for (int tap = 0; tap < 9; ++tap) {
        const double old = static_cast<double>(before[static_cast<std::size_t>(tap * tap_stride + c)]);
        expected.set(tap * tap_stride + c, old + want.values[static_cast<std::size_t>(tap)],
                     size.values[static_cast<std::size_t>(tap)] + std::abs(old));
      }
    }
    expected.check(got);
  });
}

TEST_CASE("winograd: transpose") {
  for (const SimdLevel level : supported_levels())
    for (const int rows : {1, 3, 4, 15, 16, 17, 33})
      for (const int columns : {1, 3, 4, 15, 16, 17, 33}) {
        INFO(simd_name(level), ": ", rows, " x ", columns);
        RandomStream random = test_stream(15);
        const long in_stride = columns + 3, out_stride = rows + 2;
        const Buffer<float> in(uniform(random, rows * in_stride));
        const Floats before(static_cast<std::size_t>(columns * out_stride), untouched);
        Buffer<float> got(before);
        kernels_of(level).transpose(in.data(), in_stride, rows, columns, got.data(), out_stride);
        Buffer<double> want(before);
        for (int i = 0; i < rows; ++i)
          for (int j = 0; j < columns; ++j)
            want.data()[j * out_stride + i] = static_cast<double>(in[i * in_stride + j]);
        CHECK(mismatch(got, want, exactly(want.count())) == "");
      }
}
