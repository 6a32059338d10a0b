// Convolution: every table against the reference in double.
#include <doctest/doctest.h>

#include <cmath>

#include "tensor/reference.h"
#include "tests/compare.h"

using namespace acol;
using namespace acol::testing;

namespace {

std::string describe(const Conv2dGeometry& g) {
  return message("x ", g.x_shape().str(), " w ", g.w_shape().str(), " stride ", g.stride_h, ",", g.stride_w, " pad ",
                 g.pad_h, ",", g.pad_w, " dilation ", g.dilation_h, ",", g.dilation_w);
}

// x, w, bias, dy and what the gradients hold before.
struct Numbers {
  Floats x, w, bias, dy, relu_y, dx, dw, db;

  Numbers(const Conv2dGeometry& g, RandomStream random)
      : x(uniform(random, g.x_shape().count())),
        w(uniform(random, g.w_shape().count())),
        bias(uniform(random, g.out_c)),
        dy(uniform(random, g.y_shape().count())),
        relu_y(uniform(random, g.y_shape().count())),
        dx(uniform(random, g.x_shape().count())),
        dw(uniform(random, g.w_shape().count())),
        db(uniform(random, g.out_c)) {}

  // The same sums with every term made positive: the magnitudes of the tolerances.
  Numbers magnitudes() const {
    Numbers positive = *this;
    for (Floats* values :
         {&positive.x, &positive.w, &positive.bias, &positive.dy, &positive.dx, &positive.dw, &positive.db})
      *values = absolute(*values);
    return positive;
  }
};

template <class T>
std::vector<Buffer<T>> forward(const Kernels<T>& kernels, const Conv2dGeometry& g, const Numbers& numbers, bool bias,
                               bool relu) {
  const Buffer<T> x(numbers.x), w(numbers.w), b(numbers.bias);
  Buffer<T> y(g.y_shape().count());
  kernels.conv2d_forward(g, x.data(), w.data(), bias ? b.data() : nullptr, relu, y.data());
  return {y};
}

template <class T>
std::vector<Buffer<T>> backward_data(const Kernels<T>& kernels, const Conv2dGeometry& g, const Numbers& numbers,
                                     bool relu) {
  const Buffer<T> dy(numbers.dy), relu_y(numbers.relu_y), w(numbers.w);
  Buffer<T> dx(numbers.dx);
  kernels.conv2d_backward_data(g, dy.data(), relu ? relu_y.data() : nullptr, w.data(), dx.data());
  return {dx};
}

template <class T>
std::vector<Buffer<T>> backward_weights(const Kernels<T>& kernels, const Conv2dGeometry& g, const Numbers& numbers,
                                        bool bias, bool relu) {
  const Buffer<T> dy(numbers.dy), relu_y(numbers.relu_y), x(numbers.x);
  Buffer<T> dw(numbers.dw), db(numbers.db);
  kernels.conv2d_backward_weights(g, dy.data(), relu ? relu_y.data() : nullptr, x.data(), dw.data(),
                                  bias ? db.data() : nullptr);
  return {dw, db};
}

void check_forward(const Conv2dGeometry& g, const Numbers& numbers, bool bias, bool relu,
                   const std::vector<int>& threads = {1, 2, 3, 5}) {
  const auto run = [&]<class T>(const Kernels<T>& k) { return forward(k, g, numbers, bias, relu); };
  const auto magnitude = forward(reference_kernels<double>(), g, numbers.magnitudes(), bias, false);
  check_tables(message("forward ", describe(g), bias ? " bias" : "", relu ? " relu" : ""), run,
               {float_errors(g.taps() * g.in_c + 2, magnitude[0])}, threads);
}

void check_backward_data(const Conv2dGeometry& g, const Numbers& numbers, bool relu, const std::vector<int>& threads) {
  const auto run = [&]<class T>(const Kernels<T>& k) { return backward_data(k, g, numbers, relu); };
  const auto magnitude = backward_data(reference_kernels<double>(), g, numbers.magnitudes(), false);
  check_tables("backward data " + describe(g), run, {float_errors(g.taps() * g.out_c + 2, magnitude[0])}, threads);
}

void check_backward_weights(const Conv2dGeometry& g, const Numbers& numbers, bool bias, bool relu,
                            const std::vector<int>& threads) {
  const auto run = [&]<class T>(const Kernels<T>& k) { return backward_weights(k, g, numbers, bias, relu); };
  const auto magnitude = backward_weights(reference_kernels<double>(), g, numbers.magnitudes(), bias, false);
  const double terms = static_cast<double>(g.batch) * g.out_h() * g.out_w() + 2;
  check_tables(message("backward weights ", describe(g), bias ? " bias" : ""), run,
               {float_errors(terms, magnitude[0]), float_errors(terms, magnitude[1])}, threads);
}

// `number` picks bias and ReLU, so that neighbours in a list differ.
void check_all(const Conv2dGeometry& g, std::uint32_t number, const std::vector<int>& threads = {1, 2, 3, 5}) {
  REQUIRE(g.y_shape().count() > 0);
  const Numbers numbers(g, test_stream(1, number));
  check_forward(g, numbers, number % 2 == 0, number / 2 % 2 == 0, threads);
  check_backward_data(g, numbers, number % 2 == 0, threads);
  check_backward_weights(g, numbers, number % 3 != 0, number % 2 == 1, threads);
}

}  // namespace

TEST_CASE("conv2d: a sum done by hand") {
  // One channel, 2x3 image, 2x2 filter, padding 1 on the left and right only.
  const Conv2dGeometry g{1, 2, 3, 1, 1, 2, 2, 1, 1, 0, 1, 1, 1};
  const float x[] = {1, 2, 3, 4, 5, 6}, w[] = {1, 10, 100, 1000}, bias[] = {0.5f};
  float y[4];
  reference::conv2d_forward(g, x, w, bias, false, y);
  CHECK(y[0] == 4010.5f);
  CHECK(y[1] == 1 + 20 + 400 + 5000 + 0.5f);
  CHECK(y[2] == 2 + 30 + 500 + 6000 + 0.5f);
  CHECK(y[3] == 3 + 600 + 0.5f);

  const float dy[] = {1, 0, 0, 2};
  float dx[] = {0, 0, 0, 0, 0, 7}, dw[] = {0, 0, 0, 0}, db[] = {1};
  reference::conv2d_backward_data<float>(g, dy, nullptr, w, dx);
  CHECK(dx[0] == 10);
  CHECK(dx[2] == 2);
  CHECK(dx[3] == 1000);
  CHECK(dx[5] == 207);
  reference::conv2d_backward_weights<float>(g, dy, nullptr, x, dw, db);
  CHECK(dw[0] == 6);
  CHECK(dw[1] == 1);
  CHECK(dw[2] == 12);
  CHECK(dw[3] == 4);
  CHECK(db[0] == 4);
}

TEST_CASE("conv2d: chosen shapes") {
  //  N   H   W   C   O  R  S  stride  pad  dilation
  const Conv2dGeometry cases[] = {
      {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1},      // the smallest
      {1, 1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1},      // the window is larger than the image
      {2, 1, 1, 33, 17, 1, 1, 1, 1, 0, 0, 1, 1},    // a linear layer
      {3, 1, 1, 64, 64, 1, 1, 1, 1, 0, 0, 1, 1},    //
      {1, 7, 7, 64, 31, 1, 1, 1, 1, 0, 0, 1, 1},    // 1x1
      {2, 13, 14, 16, 15, 1, 1, 2, 2, 0, 0, 1, 1},  // pixels that no output reads
      {1, 15, 15, 3, 64, 3, 3, 1, 1, 1, 1, 1, 1},   // VGG's first
      {1, 14, 14, 64, 33, 3, 3, 1, 1, 1, 1, 1, 1},  // VGG's middle: k = 576, three depth blocks
      {2, 13, 15, 17, 16, 3, 3, 1, 1, 1, 1, 1, 1},  //
      {3, 5, 3, 15, 1, 3, 3, 1, 1, 1, 1, 1, 1},     // one output channel
      {1, 15, 13, 1, 31, 3, 3, 2, 2, 1, 1, 1, 1},   // stride 2
      {2, 14, 13, 3, 17, 3, 3, 2, 1, 1, 0, 1, 1},   // unequal stride and padding
      {1, 13, 14, 16, 3, 3, 3, 3, 3, 0, 0, 1, 1},   // stride = filter
      {2, 14, 14, 5, 7, 2, 2, 2, 2, 0, 0, 1, 1},    // even filter
      {1, 15, 14, 4, 9, 2, 2, 3, 3, 1, 0, 1, 1},    // stride > filter: gaps
      {1, 13, 13, 3, 15, 3, 3, 1, 1, 2, 2, 2, 2},   // dilated, same size
      {2, 15, 14, 16, 5, 3, 3, 2, 1, 3, 2, 3, 2},   // all unequal
      {1, 7, 5, 17, 33, 5, 5, 1, 1, 2, 2, 1, 1},    //
      {2, 13, 7, 3, 16, 5, 5, 2, 3, 0, 3, 1, 1},    //
      {1, 15, 15, 3, 31, 7, 7, 2, 2, 3, 3, 1, 1},   // a ResNet's first
      {1, 7, 7, 15, 17, 7, 7, 1, 1, 0, 0, 1, 1},    // the filter is the image: a fully connected layer
      {2, 5, 13, 8, 8, 1, 3, 1, 1, 0, 1, 1, 1},     // flat filters
      {2, 13, 5, 8, 8, 3, 1, 1, 2, 1, 0, 2, 1},     //
      {1, 3, 2, 2, 2, 3, 3, 1, 1, 3, 3, 1, 1},      // windows that see padding alone
      {3, 2, 3, 31, 64, 2, 2, 1, 1, 1, 1, 1, 1},    //
  };
  std::uint32_t number = 0;
  for (const Conv2dGeometry& g : cases) check_all(g, number++);
}

TEST_CASE("conv2d: drawn shapes") {
  RandomStream random = test_stream(2);
  const auto one_of = [&](std::initializer_list<int> values) {
    return values.begin()[random.below(static_cast<int>(values.size()))];
  };
  const int filters[][2] = {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {1, 3}, {2, 2}};
  for (std::uint32_t number = 100; number < 140;) {
    Conv2dGeometry g;
    g.batch = 1 + random.below(3);
    g.in_h = one_of({1, 2, 3, 5, 7, 13, 14, 15});
    g.in_w = one_of({1, 2, 3, 5, 7, 13, 14, 15});
    g.in_c = one_of({1, 3, 15, 16, 17, 31, 33, 64});
    g.out_c = one_of({1, 3, 15, 16, 17, 31, 33, 64});
    const int* filter = filters[random.below(6)];
    g.filter_h = filter[0], g.filter_w = filter[1];
    g.stride_h = 1 + random.below(3), g.stride_w = 1 + random.below(3);
    g.pad_h = random.below(4), g.pad_w = random.below(4);
    g.dilation_h = 1 + random.below(3), g.dilation_w = 1 + random.below(3);
    if (g.y_shape().count() == 0 || g.macs() > 2'000'000) continue;
    check_all(g, number++, {1, 3});
  }
}

TEST_CASE("conv2d: shapes that reach every block of the matrix product") {
  check_all({2, 17, 17, 40, 40, 3, 3, 1, 1, 1, 1, 1, 1}, 200);   // several blocks of rows
  check_all({1, 2, 2, 512, 1030, 3, 3, 1, 1, 1, 1, 1, 1}, 201);  // B larger than it is kept; more than 512 columns
  check_all({2, 48, 47, 3, 16, 3, 3, 1, 1, 1, 1, 1, 1}, 202);    // the sliced weight gradient
  const Conv2dGeometry g{1, 28, 28, 512, 15, 3, 3, 1, 1, 1, 1, 1, 1};  // the same for the weight gradient
  check_backward_weights(g, Numbers(g, test_stream(1, 203)), true, true, {1, 2, 3});
}

TEST_CASE("conv2d: a NaN or an infinity reaches the outputs that read it, and no other") {
  const Conv2dGeometry g{2, 7, 6, 5, 9, 3, 3, 1, 1, 1, 1, 1, 1};
  Numbers numbers(g, test_stream(3));
  numbers.x[37] = NAN;
  numbers.x[250] = INFINITY;
  Numbers tame = numbers;
  tame.x[37] = tame.x[250] = 1;
  const auto magnitude = forward(reference_kernels<double>(), g, tame.magnitudes(), true, false);
  for (const bool relu : {false, true}) {
    const auto run = [&]<class T>(const Kernels<T>& k) { return forward(k, g, numbers, true, relu); };
    check_tables("forward with NaN", run, {float_errors(g.taps() * g.in_c + 2, magnitude[0])});
    const auto y = forward(reference_kernels<float>(), g, numbers, true, relu);
    int nans = 0;
    for (std::int64_t i = 0; i < y[0].count(); ++i) nans += std::isnan(y[0][i]);
    CHECK(nans >= 4 * g.out_c);
  }

  numbers.dy[11] = NAN;
  tame.dy[11] = 1;
  const auto run = [&]<class T>(const Kernels<T>& k) { return backward_data(k, g, numbers, false); };
  check_tables(
      "backward data with NaN", run,
      {float_errors(g.taps() * g.out_c + 2, backward_data(reference_kernels<double>(), g, tame.magnitudes(), false)[0])});
}
