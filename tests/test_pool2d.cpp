// Pools: every table against the reference in double.
#include <doctest/doctest.h>

#include <cmath>

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

template <class T>
std::vector<Buffer<T>> max_forward(const Kernels<T>& kernels, const Pool2dGeometry& g, const Floats& numbers) {
  const Buffer<T> x(numbers);
  Buffer<T> y(g.y_shape().count()), winner_numbers(g.y_shape().count());
  Buffer<std::uint8_t> winner(g.y_shape().count());
  kernels.max_pool_forward(g, x.data(), y.data(), winner.data());
  CHECK(winner.guards_intact());
  std::copy_n(winner.data(), winner.count(), winner_numbers.data());
  return {y, winner_numbers};
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
  for (const Pool2dGeometry& g : shapes) {
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
      return std::vector<Buffer<T>>{dx};
    };
    const auto magnitude = backward(reference_kernels<double>(), absolute(dy), absolute(dx_before));
    check_tables("max backward " + describe(g),
                 [&]<class T>(const Kernels<T>& k) { return backward(k, dy, dx_before); },
                 {float_errors(g.window_h * g.window_w + 1, magnitude[0])});
  }
}

TEST_CASE("average pool: shapes, padding counted or not") {
  std::uint32_t number = 0;
  for (const Pool2dGeometry& g : shapes)
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
        return std::vector<Buffer<T>>{y};
      };
      check_tables("average forward " + text, [&]<class T>(const Kernels<T>& k) { return forward(k, x); },
                   {float_errors(roundings, forward(reference_kernels<double>(), absolute(x))[0])});

      const auto backward = [&]<class T>(const Kernels<T>& k, const Floats& upstream, const Floats& before) {
        const Buffer<T> gradient(upstream);
        Buffer<T> dx(before);
        k.avg_pool_backward(g, count_padding, gradient.data(), dx.data());
        return std::vector<Buffer<T>>{dx};
      };
      const auto magnitude = backward(reference_kernels<double>(), absolute(dy), absolute(dx_before));
      check_tables("average backward " + text, [&]<class T>(const Kernels<T>& k) { return backward(k, dy, dx_before); },
                   {float_errors(roundings, magnitude[0])});
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
       {std::array{1, 1, 1}, {3, 49, 33}, {2, 196, 64}, {1, 784, 7}, {2, 5, 1000}, {5, 900, 130}}) {
    RandomStream random = test_stream(12, number++);
    const std::int64_t count = std::int64_t{batch} * pixels * channels;
    const Floats x = uniform(random, count), dy = uniform(random, std::int64_t{batch} * channels),
                 dx_before = uniform(random, count);
    const auto forward = [&, n = batch, m = pixels, c = channels]<class T>(const Kernels<T>& k, const Floats& numbers) {
      const Buffer<T> input(numbers);
      Buffer<T> y(std::int64_t{n} * c);
      k.global_avg_pool_forward(n, m, c, input.data(), y.data());
      return std::vector<Buffer<T>>{y};
    };
    const std::string text = message(batch, " x ", pixels, " x ", channels);
    check_tables("global forward " + text, [&]<class T>(const Kernels<T>& k) { return forward(k, x); },
                 {float_errors(pixels + 1, forward(reference_kernels<double>(), absolute(x))[0])});

    const auto backward = [&, n = batch, m = pixels, c = channels]<class T>(const Kernels<T>& k, const Floats& upstream,
                                                                            const Floats& before) {
      const Buffer<T> gradient(upstream);
      Buffer<T> dx(before);
      k.global_avg_pool_backward(n, m, c, gradient.data(), dx.data());
      return std::vector<Buffer<T>>{dx};
    };
    const auto magnitude = backward(reference_kernels<double>(), absolute(dy), absolute(dx_before));
    check_tables("global backward " + text, [&]<class T>(const Kernels<T>& k) { return backward(k, dy, dx_before); },
                 {float_errors(3, magnitude[0])});
  }
}
