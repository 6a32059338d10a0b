// Batch normalisation: every table against the reference in double.
#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "tests/compare.h"

using namespace acol;
using namespace acol::testing;

namespace {

struct Case {
  std::int64_t rows;
  int channels;
  float offset;  // mean of x: far from 0 it must not cost digits of the variance
};

const Case cases[] = {{1, 1, 0},     {2, 3, 0},      {7, 16, 1},      {50, 33, -2},     {196, 64, 0},
                      {1000, 17, 5}, {2000, 130, 0}, {30000, 3, 100}, {40000, 1, -300}, {3, 40000, 0}};

constexpr float epsilon = 1e-5f;

// Everything that a call needs, in float, so that all tables see the same numbers.
struct Numbers {
  Floats x, gamma, beta, mean, variance, dy, dx, dgamma, dbeta;

  Numbers(const Case& each, RandomStream random) {
    const std::int64_t count = each.rows * each.channels;
    x = uniform(random, count, each.offset - 2, each.offset + 2);
    gamma = uniform_parameters(random, each.channels);
    beta = uniform_parameters(random, each.channels);
    mean = uniform_parameters(random, each.channels, each.offset - 0.1f, each.offset + 0.1f);
    variance = uniform_parameters(random, each.channels, 0, 3);
    dy = uniform(random, count, -1, 1.5f);
    dx = uniform(random, count);
    dgamma = uniform_parameters(random, each.channels);
    dbeta = uniform_parameters(random, each.channels);
  }
};

}  // namespace

TEST_CASE("batch norm statistics") {
  std::uint32_t number = 0;
  for (const Case& each : cases) {
    const Numbers numbers(each, test_stream(20, number++));
    const auto run = [&]<class T>(const Kernels<T>& k, const Floats& values) {
      const Buffer<T> x(values);
      Buffer<ParameterOf<T>> mean(std::int64_t{each.channels}), variance(std::int64_t{each.channels});
      k.batch_norm_statistics(each.rows, each.channels, x.data(), mean.data(), variance.data());
      return Outputs{mean, variance};
    };
    const auto want = run(reference_kernels<double>(), numbers.x);
    const double roundings = static_cast<double>(each.rows) + 2;
    const Tolerance mean = float_errors(roundings, run(reference_kernels<double>(), absolute(numbers.x))[0]);
    // An error of the mean enters the variance squared; else each square is good to a few roundings of itself.
    Tolerance variance = float_errors(roundings, want[1]);
    for (std::size_t c = 0; c < variance.size(); ++c) variance[c] += mean[c] * mean[c];
    check_tables(message("statistics ", each.rows, " x ", each.channels),
                 [&]<class T>(const Kernels<T>& k) { return run(k, numbers.x); }, {mean, variance});
  }
}

TEST_CASE("batch norm statistics of a constant: variance exactly 0") {
  const Floats x(37 * 5, 0.1f);
  for_each_cpu_table([&](const std::string& table, const Kernels<float>& kernels) {
    INFO(table);
    Buffer<float> mean(5), variance(5);
    kernels.batch_norm_statistics(37, 5, x.data(), mean.data(), variance.data());
    for (int c = 0; c < 5; ++c) {
      CHECK(mean[c] == doctest::Approx(0.1f));
      CHECK(variance[c] >= 0);
      CHECK(variance[c] <= 1e-14f);
    }
  });
}

TEST_CASE("batch norm forward") {
  std::uint32_t number = 0;
  for (const Case& each : cases) {
    const Numbers numbers(each, test_stream(21, number++));
    const auto run = [&]<class T>(const Kernels<T>& k) {
      const Buffer<T> x(numbers.x);
      const Buffer<ParameterOf<T>> mean(numbers.mean), variance(numbers.variance), gamma(numbers.gamma),
          beta(numbers.beta);
      Buffer<T> y(x.count());
      k.batch_norm_forward(each.rows, each.channels, x.data(), mean.data(), variance.data(), gamma.data(), beta.data(),
                           epsilon, y.data());
      return Outputs{y};
    };
    Tolerance tolerance;
    for (std::size_t i = 0; i < numbers.x.size(); ++i) {
      const std::size_t c = i % static_cast<std::size_t>(each.channels);
      const double deviation = std::sqrt(double{numbers.variance[c]} + epsilon);
      const double scale = std::abs(numbers.gamma[c]) / deviation;
      tolerance.push_back(
          float_error(6, scale * std::abs(double{numbers.x[i]} - numbers.mean[c]) + std::abs(numbers.beta[c])));
    }
    check_tables(message("forward ", each.rows, " x ", each.channels), run, {tolerance});
  }
}

TEST_CASE("batch norm backward: statistics of the batch or constants, any output missing") {
  std::uint32_t number = 0;
  for (const Case& each : cases)
    for (const bool through_statistics : {true, false}) {
      const Numbers numbers(each, test_stream(22, number));
      // Bits: dx, dgamma, dbeta wanted. The first run of each shape wants all.
      const std::uint32_t wanted = number < 2 || number % 2 == 0 ? 7u : 1 + number % 7;
      ++number;
      const auto run = [&]<class T>(const Kernels<T>& k) {
        const Buffer<T> x(numbers.x), dy(numbers.dy);
        const Buffer<ParameterOf<T>> mean(numbers.mean), variance(numbers.variance), gamma(numbers.gamma);
        Buffer<T> dx(numbers.dx);
        Buffer<ParameterOf<T>> dgamma(numbers.dgamma), dbeta(numbers.dbeta);
        k.batch_norm_backward(each.rows, each.channels, x.data(), mean.data(), variance.data(), gamma.data(), epsilon,
                              through_statistics, dy.data(), wanted & 1 ? dx.data() : nullptr,
                              wanted & 2 ? dgamma.data() : nullptr, wanted & 4 ? dbeta.data() : nullptr);
        return Outputs{dx, dgamma, dbeta};
      };

      // Absolute sums, term by term as in the reference.
      const auto channels = static_cast<std::size_t>(each.channels);
      const auto rows = static_cast<double>(each.rows);
      std::vector<double> sum(channels, 0.0), weighted(channels, 0.0);
      const auto xhat = [&](std::size_t i) {
        const std::size_t c = i % channels;
        return std::abs(double{numbers.x[i]} - numbers.mean[c]) / std::sqrt(double{numbers.variance[c]} + epsilon);
      };
      for (std::size_t i = 0; i < numbers.x.size(); ++i) {
        sum[i % channels] += std::abs(numbers.dy[i]);
        weighted[i % channels] += std::abs(numbers.dy[i]) * xhat(i);
      }
      Tolerance dx, dgamma, dbeta;
      for (std::size_t i = 0; i < numbers.x.size(); ++i) {
        const std::size_t c = i % channels;
        const double scale = std::abs(numbers.gamma[c]) / std::sqrt(double{numbers.variance[c]} + epsilon);
        const double by_statistics = scale * (sum[c] + xhat(i) * weighted[c]) / rows;
        dx.push_back(float_error(8, std::abs(numbers.dx[i]) + scale * std::abs(numbers.dy[i])) +
                     (through_statistics ? float_error(rows + 8, by_statistics) : 0));
      }
      for (std::size_t c = 0; c < channels; ++c) {
        dgamma.push_back(float_error(rows + 4, weighted[c] + std::abs(numbers.dgamma[c])));
        dbeta.push_back(float_error(rows + 2, sum[c] + std::abs(numbers.dbeta[c])));
      }
      check_tables(message("backward ", each.rows, " x ", each.channels, through_statistics ? " training" : "",
                           ", outputs ", wanted),
                   run, {dx, dgamma, dbeta});
    }
}

TEST_CASE("moving averages") {
  for (const std::int64_t count : {1, 3, 257, 5000}) {
    RandomStream random = test_stream(9, static_cast<std::uint32_t>(count));
    const Floats x = uniform_parameters(random, count, -3, 3), average = uniform_parameters(random, count, -3, 3);
    const auto run = [&]<class T>(const Kernels<T>& kernels) {
      const Buffer<ParameterOf<T>> from(x);
      Buffer<ParameterOf<T>> moved(average);
      kernels.move_average(count, 0.1, 1.25, from.data(), moved.data());
      return Outputs{moved};
    };
    Tolerance one_rounding;
    for (std::int64_t i = 0; i < count; ++i) one_rounding.push_back(4 * rounding);
    check_tables(message(count, " numbers"), run, {one_rounding});
  }
}
