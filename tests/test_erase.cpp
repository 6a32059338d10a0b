// The map of one class, the normalised map and the erase: every table against the reference in double. What is erased
// is exact.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>

#include "tests/compare.h"

using namespace acol;
using namespace acol::testing;

namespace {

template <class T>
Outputs normalized(const Kernels<T>& kernels, int batch, int pixels, int classes, const Floats& numbers,
                   const std::vector<int>& labels) {
  const Buffer<ParameterOf<T>> maps(numbers);
  Buffer<ParameterOf<T>> heat(std::int64_t{batch} * pixels);
  kernels.normalized_map(batch, pixels, classes, maps.data(), labels.data(), heat.data());
  return {heat};
}

struct Hidden {
  int batch, pixels, channels, classes;
  Floats x, w, bias;  // no bias: empty
  std::vector<int> labels;

  static Hidden drawn(const std::array<int, 4>& sizes, bool with_bias, std::uint32_t number) {
    const auto& [batch, pixels, channels, classes] = sizes;
    RandomStream random = test_stream(72, number);
    Hidden hidden{batch, pixels, channels, classes, {}, {}, {}, labels_below(random, batch, classes)};
    hidden.x = uniform(random, std::int64_t{batch} * pixels * channels);
    hidden.w = uniform_parameters(random, std::int64_t{classes} * channels);
    if (with_bias) hidden.bias = uniform_parameters(random, classes, -3, 3);
    return hidden;
  }

  Hidden magnitudes() const {
    Hidden positive = *this;
    positive.x = absolute(x), positive.w = absolute(w), positive.bias = absolute(bias);
    return positive;
  }

  template <class T>
  Outputs map(const Kernels<T>& kernels) const {
    using P = ParameterOf<T>;
    const Buffer<T> input(x);
    const Buffer<P> weights(w), offsets(bias);
    Buffer<P> result(std::int64_t{batch} * pixels);
    kernels.class_map(batch, pixels, channels, input.data(), weights.data(), bias.empty() ? nullptr : offsets.data(),
                      labels.data(), result.data());
    return Outputs{result};
  }
};

// Calls body(name, table) for the float tables, reference included.
template <class Body>
void for_each_float_table(const Body& body) {
  body("reference", reference_kernels<float>());
  for_each_cpu_table(body);
}

}  // namespace

TEST_CASE("class map: shapes, with and without bias") {
  std::uint32_t number = 0;
  for (const std::array<int, 4>& sizes : {std::array{1, 1, 1, 1},
                                          {2, 3, 15, 4},
                                          {3, 49, 33, 7},
                                          {1, 5, 128, 2},
                                          {5, 9, 132, 1},
                                          {2, 196, 1024, 200},
                                          {7, 1, 1000, 3}})
    for (const bool with_bias : {true, false}) {
      const Hidden hidden = Hidden::drawn(sizes, with_bias, number++);
      const auto run = [&]<class T>(const Kernels<T>& k) { return hidden.map(k); };
      const auto magnitudes = hidden.magnitudes().map(reference_kernels<double>());
      check_tables(message("class map ", sizes[0], " x ", sizes[1], " x ", sizes[2], ", ", sizes[3], " classes, bias ",
                           with_bias),
                   run, {float_errors(hidden.channels + 1, magnitudes[0])});
    }
}

TEST_CASE("class map: is the label's channel of the 1x1 convolution") {
  const Hidden hidden = Hidden::drawn({4, 6, 37, 5}, true, 100);
  const auto run = [&]<class T>(const Kernels<T>& k) {
    Conv2dGeometry g;
    g.batch = hidden.batch, g.in_h = 2, g.in_w = 3, g.in_c = hidden.channels, g.out_c = hidden.classes;
    const Buffer<T> x(hidden.x), w(hidden.w), bias(hidden.bias);
    Buffer<T> maps(std::int64_t{hidden.batch} * hidden.pixels * hidden.classes);
    k.conv2d_forward(g, x.data(), w.data(), bias.data(), false, maps.data());
    return maps;
  };
  const Buffer<double> maps = run(reference_kernels<double>());
  const KernelOutput map = hidden.map(reference_kernels<double>())[0];
  for (int row = 0; row < hidden.batch * hidden.pixels; ++row)
    CHECK(std::abs(map[row] -
                   maps[row * hidden.classes + hidden.labels[static_cast<std::size_t>(row / hidden.pixels)]]) <= 1e-14);
}

TEST_CASE("class map: a NaN or an infinity stays in its pixel; other classes' weights do not matter") {
  Hidden hidden = Hidden::drawn({2, 4, 21, 3}, true, 101);
  hidden.labels = {2, 0};
  for (int c = 0; c < hidden.channels; ++c) hidden.w[static_cast<std::size_t>(hidden.channels + c)] = NAN;
  hidden.bias[1] = INFINITY;
  hidden.x[3] = NAN;                                                    // pixel 0
  hidden.x[static_cast<std::size_t>(6 * hidden.channels)] = -INFINITY;  // pixel 6
  const auto run = [&]<class T>(const Kernels<T>& k) { return hidden.map(k); };
  const auto want = run(reference_kernels<double>());
  for (int row = 0; row < 8; ++row) CHECK(std::isfinite(want[0][row]) == (row != 0 && row != 6));
  check_tables("odd numbers", run, {Tolerance(8, float_error(22, 24))});
}

TEST_CASE("normalized map: shapes; exactly 0 and exactly 1 occur") {
  std::uint32_t number = 0;
  for (const auto& [batch, pixels, classes] :
       {std::array{1, 2, 1}, {3, 49, 7}, {2, 196, 200}, {5, 784, 20}, {40, 9, 3}}) {
    RandomStream random = test_stream(70, number++);
    const Floats maps = uniform_parameters(random, std::int64_t{batch} * pixels * classes, -3, 5);
    const std::vector<int> labels = labels_below(random, batch, classes);
    const auto run = [&, n = batch, m = pixels, c = classes]<class T>(const Kernels<T>& k) {
      return normalized(k, n, m, c, maps, labels);
    };
    const auto want = run(reference_kernels<double>());
    check_tables(message("normalized map ", batch, " x ", pixels, " x ", classes), run, {float_errors(3, want[0])});
    for_each_float_table([&, n = batch, m = pixels](const std::string& table, const Kernels<float>& kernels) {
      INFO(table);
      const auto heat = run(kernels);
      for (int i = 0; i < n; ++i) {
        const double* const image = heat[0].data() + std::int64_t{i} * m;
        CHECK(*std::min_element(image, image + m) == 0);
        CHECK(*std::max_element(image, image + m) == 1);
      }
    });
  }
}

TEST_CASE("normalized map: constant, NaN and infinite maps are all zeros, and only they") {
  // Image by image; class 1 of 2 is asked for, class 0 holds NaN that must not matter.
  constexpr int pixels = 6;
  const float huge = std::numeric_limits<float>::max(), tiny = std::numeric_limits<float>::denorm_min();
  const std::vector<Floats> bad = {
      {5, 5, 5, 5, 5, 5},   {0, 0, 0, 0, 0, 0},        {1, 2, NAN, 4, 5, 6},       {NAN, 2, 3, 4, 5, 6},
      {1, 2, 3, 4, 5, NAN}, {1, 2, INFINITY, 4, 5, 6}, {-INFINITY, 2, 3, 4, 5, 6}, {NAN, NAN, NAN, NAN, NAN, NAN}};
  const std::vector<Floats> good = {{0, 1, 2, 3, 4, 4},
                                    {-huge, huge, 0, 0, 0, 0},     // a range beyond float
                                    {0, tiny, 2 * tiny, 0, 0, 0},  // one below its normal numbers
                                    {-0.0f, 0.0f, 0.0f, 0.0f, 0, 1}};
  std::vector<Floats> images = bad;
  images.insert(images.end(), good.begin(), good.end());
  Floats maps;
  for (const Floats& image : images)
    for (const float value : image) maps.insert(maps.end(), {NAN, value});
  const int batch = static_cast<int>(images.size());
  const std::vector<int> labels(images.size(), 1);
  const auto run = [&]<class T>(const Kernels<T>& k) { return normalized(k, batch, pixels, 2, maps, labels); };
  check_tables("odd maps", run, {float_errors(3, run(reference_kernels<double>())[0])});
  for_each_float_table([&](const std::string& table, const Kernels<float>& kernels) {
    INFO(table);
    const auto heat = run(kernels);
    for (int n = 0; n < batch; ++n) {
      const double* const image = heat[0].data() + n * pixels;
      const bool is_bad = n < static_cast<int>(bad.size());
      INFO("image ", n);
      CHECK(*std::max_element(image, image + pixels) == (is_bad ? 0 : 1));
      CHECK(*std::min_element(image, image + pixels) == 0);
    }
  });
}

TEST_CASE("erase: forward and backward, thresholds 0, 1 and equal to the heat") {
  std::uint32_t number = 0;
  for (const auto& [batch, pixels, channels] : {std::array{1, 1, 1}, {3, 49, 33}, {2, 196, 512}, {7, 5, 17}})
    for (const float threshold : {0.0f, 0.5f, 0.6f, 1.0f}) {
      RandomStream random = test_stream(71, number++);
      const std::int64_t places = std::int64_t{batch} * pixels, count = places * channels;
      Floats x = uniform(random, count), dy = uniform(random, count), before = uniform(random, count),
             heat = uniform_parameters(random, places, 0, 1);
      for (float& value : heat) {
        const int kind = random.below(8);
        if (kind == 0) value = threshold;
        if (kind == 1) value = std::nextafter(threshold, -1.0f);
        if (kind == 2) value = 1;
        if (kind == 3) value = 0;
      }
      x[0] = NAN;
      dy[0] = INFINITY;
      heat[0] = 1;  // erased, whatever it holds

      const std::string text = message(batch, " x ", pixels, " x ", channels, ", threshold ", threshold);
      check_tables("erase forward " + text,
                   [&, n = batch, m = pixels, c = channels]<class T>(const Kernels<T>& k) {
                     const Buffer<T> input(x);
                     const Buffer<ParameterOf<T>> h(heat);
                     Buffer<T> y(input.count());
                     k.erase_forward(n, m, c, input.data(), h.data(), threshold, y.data());
                     return Outputs{y};
                   },
                   {exactly(count)});
      Tolerance tolerance;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const bool kept = !(heat[i / static_cast<std::size_t>(channels)] >= threshold);
        tolerance.push_back(kept ? float_error(1, std::abs(before[i]) + std::abs(dy[i])) : 0);
      }
      check_tables("erase backward " + text,
                   [&, n = batch, m = pixels, c = channels]<class T>(const Kernels<T>& k) {
                     const Buffer<T> gradient(dy);
                     const Buffer<ParameterOf<T>> h(heat);
                     Buffer<T> dx(before);
                     k.erase_backward(n, m, c, h.data(), threshold, gradient.data(), dx.data());
                     return Outputs{dx};
                   },
                   {tolerance});
    }
}

TEST_CASE("erase: heat equal to the threshold is erased, heat below it is kept") {
  for_each_float_table([](const std::string& table, const Kernels<float>& kernels) {
    INFO(table);
    const Floats heat = {0.6f, std::nextafter(0.6f, 0.0f), 1, 0, NAN}, x = {1, 2, 3, 4, 5};
    const auto erased = [&](float threshold) {
      Buffer<float> y(5);
      kernels.erase_forward(1, 5, 1, x.data(), heat.data(), threshold, y.data());
      return Floats(y.data(), y.data() + 5);
    };
    CHECK(erased(0.6f) == Floats{0, 2, 0, 4, 5});
    CHECK(erased(0) == Floats{0, 0, 0, 0, 5});  // everything but where the heat is no number
    CHECK(erased(1) == Floats{1, 2, 0, 4, 5});
  });
}
