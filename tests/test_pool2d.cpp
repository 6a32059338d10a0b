// Pools: every table against the reference in double.
#include <doctest/doctest.h>

#include <cmath>
#include <iterator>
#include <vector>

#include "tensor/reference.h"
#include "tests/compare.h"

using namespace acol;
using namespace acol::testing;

namespace {

std::string describe(const Pool2dGeometry& g) {
  return message("x ", g.x_shape().str(), " window ", g.window_h, ",", g.window_w, " stride ", g.stride_h, ",",
                 g.stride_w, " pad ", g.pad_h, ",", g.pad_w);
}

//   N   H   W   C  window stride pad
const Pool2dGeometry shapes[] = {
    {1, 1, 1, 1, 1, 1, 1, 1, 0, 0},      // the smallest
    {2, 14, 14, 33, 2, 2, 2, 2, 0, 0},   // VGG's
    {2, 15, 13, 17, 2, 2, 2, 2, 0, 0},   // pixels that no window sees
    {1, 14, 15, 64, 3, 3, 2, 2, 1, 1},   // ACoL's pool1 to pool4
    {3, 7, 7, 31, 3, 3, 1, 1, 1, 1},     // ACoL's pool5 and its average
    {2, 13, 14, 3, 3, 2, 2, 1, 1, 0},    // all unequal
    {1, 13, 7, 130, 3, 3, 1, 2, 0, 1},   //
    {1, 2, 3, 5, 5, 7, 1, 1, 2, 3},      // the window is larger than the image
    {2, 1, 1, 16, 3, 3, 1, 1, 1, 1},     // padding all round
    {1, 5, 14, 2, 1, 1, 2, 3, 0, 0},     // stride > window
    {1, 16, 16, 4, 16, 16, 1, 1, 0, 0},  // 256 taps
    {1, 20, 18, 3, 16, 16, 2, 1, 8, 8},  //
    {2, 40, 40, 65, 3, 3, 1, 1, 1, 1},   // several chunks of work
};

// Channels around vectors and blocks of vectors, for small odd windows of both strides.
std::vector<Pool2dGeometry> shapes_with_odd_channels() {
  std::vector<Pool2dGeometry> found(std::begin(shapes), std::end(shapes));
  for (const int channels : {1, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 200}) {
    found.push_back({2, 7, 5, channels, 3, 3, 2, 2, 1, 1});
    found.push_back({1, 5, 7, channels, 3, 3, 1, 1, 1, 1});
    found.push_back({1, 9, 8, channels, 2, 3, 2, 1, 0, 1});
  }
  return found;
}

template <class T>
Outputs max_forward(const Kernels<T>& kernels, const Pool2dGeometry& g, const Floats& numbers) {
  const Buffer<T> x(numbers);
  Buffer<T> y(g.y_shape().count());
  Buffer<std::uint8_t> winner(g.y_shape().count());
  kernels.max_pool_forward(g, x.data(), y.data(), winner.data());
  return {y, winner};
}

void check_max_forward(const Pool2dGeometry& g, const Floats& numbers) {
  const std::int64_t count = g.y_shape().count();
  check_tables("max forward " + describe(g), [&]<class T>(const Kernels<T>& k) { return max_forward(k, g, numbers); },
               {exactly(count), exactly(count)});
}

}  // namespace

TEST_CASE("max pool: value, winner, ties and NaN by hand") {
  const Pool2dGeometry g{1, 2, 4, 1, 2, 2, 2, 2, 0, 0};
  const float x[] = {3, 7, -INFINITY, -INFINITY, 7, 1, -INFINITY, -INFINITY};
  float y[2];
  std::uint8_t winner[2];
  reference::max_pool_forward(g, x, y, winner);
  CHECK(y[0] == 7);
  CHECK(winner[0] == 1);  // the first of two
  CHECK(y[1] == -INFINITY);
  CHECK(winner[1] == 0);

  const float with_nan[] = {3, 9, 1, NAN, NAN, 7, 2, NAN};
  reference::max_pool_forward(g, with_nan, y, winner);
  CHECK(std::isnan(y[0]));
  CHECK(winner[0] == 2);
  CHECK(std::isnan(y[1]));
  CHECK(winner[1] == 1);
}

TEST_CASE("max pool: shapes, ties, NaN") {
  std::uint32_t number = 0;
  for (const Pool2dGeometry& g : shapes_with_odd_channels()) {
    RandomStream random = test_stream(10, number++);
    Floats x = uniform(random, g.x_shape().count());
    check_max_forward(g, x);
    for (float& value : x) value = static_cast<float>(random.below(3)) - 2;  // ties
    check_max_forward(g, x);
    for (float& value : x) {
      const int kind = random.below(12);
      if (kind == 0) value = NAN;
      if (kind == 1) value = INFINITY;
      if (kind > 8) value = -INFINITY;
    }
    check_max_forward(g, x);

    x = uniform(random, g.x_shape().count());
    const Floats dy = uniform(random, g.y_shape().count()), dx_before = uniform(random, g.x_shape().count());
    Buffer<float> y(g.y_shape().count());
    Buffer<std::uint8_t> winner(g.y_shape().count());
    reference::max_pool_forward(g, x.data(), y.data(), winner.data());
    const auto backward = [&]<class T>(const Kernels<T>& k, const Floats& upstream, const Floats& before) {
      const Buffer<T> gradient(upstream);
      Buffer<T> dx(before);
      k.max_pool_backward(g, gradient.data(), winner.data(), dx.data());
      return Outputs{dx};
    };
    const auto magnitude = backward(reference_kernels<double>(), absolute(dy), absolute(dx_before));
    check_tables("max backward " + describe(g),
                 [&]<class T>(const Kernels<T>& k) { return backward(k, dy, dx_before); },
                 {float_errors(g.window_h * g.window_w + 1, magnitude[0])});
  }
}

TEST_CASE("average pool: shapes, padding counted or not") {
  std::uint32_t number = 0;
  for (const Pool2dGeometry& g : shapes_with_odd_channels())
    for (const bool count_padding : {false, true}) {
      RandomStream random = test_stream(11, number++);
      const Floats x = uniform(random, g.x_shape().count()), dy = uniform(random, g.y_shape().count()),
                   dx_before = uniform(random, g.x_shape().count());
      const std::string text = describe(g) + (count_padding ? " counted" : "");
      const double roundings = g.window_h * g.window_w + 2;

      const auto forward = [&]<class T>(const Kernels<T>& k, const Floats& numbers) {
        const Buffer<T> input(numbers);
        Buffer<T> y(g.y_shape().count());
        k.avg_pool_forward(g, count_padding, input.data(), y.data());
        return Outputs{y};
      };
      check_tables("average forward " + text, [&]<class T>(const Kernels<T>& k) { return forward(k, x); },
                   {float_errors(roundings, forward(reference_kernels<double>(), absolute(x))[0])});

      const auto backward = [&]<class T>(const Kernels<T>& k, const Floats& upstream, const Floats& before) {
        const Buffer<T> gradient(upstream);
        Buffer<T> dx(before);
        k.avg_pool_backward(g, count_padding, gradient.data(), dx.data());
        return Outputs{dx};
      };
      const auto magnitude = backward(reference_kernels<double>(), absolute(dy), absolute(dx_before));
      check_tables("average backward " + text, [&]<class T>(const Kernels<T>& k) { return backward(k, dy, dx_before); },
                   {float_errors(roundings, magnitude[0])});
    }
}

// -0 + 0 is 0: a kernel that skips what it does not add would leave -0. And the order of additions is that of the
// outputs.
TEST_CASE("pools, backward: the bits are those of adding in raster order") {
  for (const int channels : {5, 16, 64, 83}) {
    const Pool2dGeometry g{1, 6, 7, channels, 3, 3, 1, 2, 1, 1};
    RandomStream random = test_stream(13, static_cast<std::uint32_t>(channels));
    const Floats x = uniform(random, g.x_shape().count()), dy = uniform(random, g.y_shape().count());
    Floats before = uniform(random, g.x_shape().count());
    for (std::size_t i = 0; i < before.size(); i += 2) before[i] = -0.0f;
    Buffer<float> y(g.y_shape().count()), average_want(before), max_want(before);
    Buffer<std::uint8_t> winner(g.y_shape().count());
    reference::max_pool_forward(g, x.data(), y.data(), winner.data());
    reference::avg_pool_backward(g, false, dy.data(), average_want.data());
    for (int i = 0; i < g.in_h; ++i)
      for (int j = 0; j < g.in_w; ++j)
        for (int c = 0; c < channels; ++c) {
          float& sum = max_want.data()[(i * g.in_w + j) * channels + c];
          for (int p = 0; p < g.out_h(); ++p)
            for (int q = 0; q < g.out_w(); ++q) {
              const int r = i - p * g.stride_h + g.pad_h, s = j - q * g.stride_w + g.pad_w;
              if (r < 0 || r >= g.window_h || s < 0 || s >= g.window_w) continue;
              const int out = (p * g.out_w() + q) * channels + c;
              sum += winner[out] == r * g.window_w + s ? dy[static_cast<std::size_t>(out)] : 0;
            }
        }
    for_each_cpu_table([&](const std::string& table, const Kernels<float>& kernels) {
      INFO(table, ", ", channels, " channels");
      Buffer<float> max_dx(before), average_dx(before);
      kernels.max_pool_backward(g, dy.data(), winner.data(), max_dx.data());
      kernels.avg_pool_backward(g, false, dy.data(), average_dx.data());
      CHECK(KernelOutput(max_dx).same_bits(max_want));
      CHECK(KernelOutput(average_dx).same_bits(average_want));
    });
  }
}

TEST_CASE("average pool: padding counts only where asked") {
  const Pool2dGeometry g{1, 2, 2, 1, 3, 3, 1, 1, 1, 1};
  const float x[] = {1, 2, 3, 4};
  float y[4];
  reference::avg_pool_forward(g, false, x, y);
  for (const float value : y) CHECK(value == 2.5f);
  reference::avg_pool_forward(g, true, x, y);
  for (const float value : y) CHECK(value == 10.0f / 9);
}

TEST_CASE("global average pool") {
  std::uint32_t number = 0;
  for (const auto& [batch, pixels, channels] :
       {std::array{1, 1, 1}, {3, 49, 33}, {2, 196, 64}, {1, 784, 7}, {8, 784, 200}, {2, 5, 1000}, {5, 900, 130}}) {
    RandomStream random = test_stream(12, number++);
    const std::int64_t count = std::int64_t{batch} * pixels * channels;
    const Floats x = uniform(random, count), dy = uniform_parameters(random, std::int64_t{batch} * channels),
                 dx_before = uniform(random, count);
    const auto forward = [&, n = batch, m = pixels, c = channels]<class T>(const Kernels<T>& k, const Floats& numbers) {
      const Buffer<T> input(numbers);
      Buffer<ParameterOf<T>> y(std::int64_t{n} * c);
      k.global_avg_pool_forward(n, m, c, input.data(), y.data());
      return Outputs{y};
    };
    const std::string text = message(batch, " x ", pixels, " x ", channels);
    check_tables("global forward " + text, [&]<class T>(const Kernels<T>& k) { return forward(k, x); },
                 {float_errors(pixels + 1, forward(reference_kernels<double>(), absolute(x))[0])});

    const auto backward = [&, n = batch, m = pixels, c = channels]<class T>(const Kernels<T>& k, const Floats& upstream,
                                                                            const Floats& before) {
      const Buffer<ParameterOf<T>> gradient(upstream);
      Buffer<T> dx(before);
      k.global_avg_pool_backward(n, m, c, gradient.data(), dx.data());
      return Outputs{dx};
    };
    const auto magnitude = backward(reference_kernels<double>(), absolute(dy), absolute(dx_before));
    check_tables("global backward " + text, [&]<class T>(const Kernels<T>& k) { return backward(k, dy, dx_before); },
                 {float_errors(3, magnitude[0])});
  }
}
