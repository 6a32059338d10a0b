// Softmax with cross-entropy: every table against the reference in double.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/compare.h"

using namespace acol;
using namespace acol::testing;

namespace {

struct Case {
  int rows, classes;
  float range;  // logits lie in +-range
};

const Case cases[] = {{1, 1, 1},    {3, 2, 1},     {5, 7, 10},     {2, 1000, 3},   {64, 20, 5},
                      {4, 1, 1e4f}, {3, 17, 1e4f}, {7, 200, 1e4f}, {300, 200, 20}, {1, 33, 80}};

template <class T>
Outputs forward(const Kernels<T>& kernels, const Case& each, const Floats& logits, const std::vector<int>& labels) {
  const Buffer<ParameterOf<T>> z(logits);
  Buffer<ParameterOf<T>> probability(z.count()), loss(std::int64_t{each.rows});
  kernels.softmax_cross_entropy_forward(each.rows, each.classes, z.data(), labels.data(), probability.data(),
                                        loss.data());
  return {probability, loss};
}

}  // namespace

TEST_CASE("softmax: forward and backward") {
  std::uint32_t number = 0;
  for (const Case& each : cases) {
    RandomStream random = test_stream(50, number++);
    const std::int64_t count = std::int64_t{each.rows} * each.classes;
    const Floats logits = uniform_parameters(random, count, -each.range, each.range);
    const std::vector<int> labels = labels_below(random, each.rows, each.classes);
    const std::string text = message(each.rows, " x ", each.classes, " logits up to ", each.range);

    // An error of d in the exponent is a relative error of d in the power. The exponents z - max err by one rounding of
    // their size; the sum of the powers errs by their average, weighted by probability.
    const auto want = forward(reference_kernels<double>(), each, logits, labels);
    Tolerance probability, loss;
    for (int row = 0; row < each.rows; ++row) {
      const float* const z = logits.data() + std::int64_t{row} * each.classes;
      const double largest = *std::max_element(z, z + each.classes);
      double average = 0;
      for (int k = 0; k < each.classes; ++k)
        average += want[0][std::int64_t{row} * each.classes + k] * (largest - z[k]);
      for (int k = 0; k < each.classes; ++k)
        probability.push_back(float_error(
            each.classes + 8, (1 + average + largest - z[k]) * want[0][std::int64_t{row} * each.classes + k]));
      const double gap = largest - z[labels[static_cast<std::size_t>(row)]];
      loss.push_back(float_error(each.classes + 8, 1 + average + gap));
    }
    check_tables("softmax forward " + text,
                 [&]<class T>(const Kernels<T>& k) { return forward(k, each, logits, labels); }, {probability, loss});

    const Floats p = uniform_parameters(random, count, 0, 1), dloss = uniform_parameters(random, each.rows),
                 before = uniform_parameters(random, count);
    Tolerance tolerance;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      tolerance.push_back(
          float_error(3, std::abs(before[at]) + 2 * std::abs(dloss[static_cast<std::size_t>(i / each.classes)])));
    }
    check_tables("softmax backward " + text,
                 [&]<class T>(const Kernels<T>& k) {
                   const Buffer<ParameterOf<T>> probabilities(p), upstream(dloss);
                   Buffer<ParameterOf<T>> dlogits(before);
                   k.softmax_cross_entropy_backward(each.rows, each.classes, probabilities.data(), labels.data(),
                                                    upstream.data(), dlogits.data());
                   return Outputs{dlogits};
                 },
                 {tolerance});
  }
}

TEST_CASE("softmax: one class has loss 0, far logits a finite one, a row sums to 1") {
  const auto check_one = [](const std::string& table, const Kernels<float>& kernels) {
    INFO(table);
    const Case one{1, 1, 0};
    auto got = forward(kernels, one, {12345.0f}, {0});
    CHECK(got[0][0] == 1);
    CHECK(got[1][0] == 0);

    const Case far{2, 3, 0};
    got = forward(kernels, far, {1e4f, -1e4f, 0, -1e4f, -1e4f, -1e4f}, {1, 2});
    CHECK(got[1][0] == 2e4f);
    CHECK(got[0][0] == 1);
    CHECK(got[0][1] == 0);
    CHECK(got[1][1] == doctest::Approx(std::log(3.0)));
    CHECK(got[0][3] + got[0][4] + got[0][5] == doctest::Approx(1.0));
  };
  check_one("reference", reference_kernels<float>());
  for_each_cpu_table(check_one);
}

TEST_CASE("softmax: a NaN logit gives a NaN loss in its row alone") {
  const auto check_one = [](const std::string& table, const Kernels<float>& kernels) {
    INFO(table);
    for (int at = 0; at < 3; ++at) {
      Floats logits = {1, 2, 3, 1, 2, 3};
      logits[static_cast<std::size_t>(at)] = NAN;
      const auto got = forward(kernels, {2, 3, 0}, logits, {0, 0});
      CHECK(std::isnan(got[1][0]));
      CHECK(std::isfinite(got[1][1]));
    }
  };
  check_one("reference", reference_kernels<float>());
  for_each_cpu_table(check_one);
}
