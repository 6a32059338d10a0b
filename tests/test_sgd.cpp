// The optimizer's kernels: every table against the reference in double.
#include <doctest/doctest.h>

#include <cmath>
#include <optional>

#include "tests/compare.h"

using namespace acol;
using namespace acol::testing;

namespace {

template <class T>
double sum_of_squares(const Kernels<T>& kernels, const Buffer<T>& x) {
  const std::int64_t count = x.count();
  const T* const numbers = x.data();
  double sum = -1;
  kernels.sums_of_squares(1, &count, &numbers, &sum);
  return sum;
}

}  // namespace

TEST_CASE("sgd step: momentum, decay, Nesterov, scale") {
  struct Case {
    float rate, momentum, decay;
    bool nesterov;
    float scale;
  };
  const Case cases[] = {
      {0.1f, 0, 0, false, 1},         {0.01f, 0.9f, 0, false, 1},       {0.01f, 0.9f, 5e-4f, false, 0.25f},
      {0.001f, 0.9f, 5e-4f, true, 1}, {0.5f, 0.99f, 0.1f, true, 0.01f}, {0, 0.9f, 0.1f, true, 1}};
  for (const std::int64_t count : {1, 3, 17, 1000, 100003})
    for (const Case& each : cases) {
      RandomStream random = test_stream(80, static_cast<std::uint32_t>(count));
      const Floats dw = uniform(random, count), v = uniform(random, count), w = uniform(random, count);
      Tolerance v_error, w_error;
      for (std::size_t i = 0; i < dw.size(); ++i) {
        const double gradient = std::abs(each.scale * dw[i]) + std::abs(each.decay * w[i]);
        const double velocity = std::abs(each.momentum * v[i]) + gradient;
        v_error.push_back(float_error(5, velocity));
        // The last rounding is one of w, the others of the step.
        w_error.push_back(float_error(1, std::abs(w[i])) + float_error(9, each.rate * (velocity + gradient)));
      }
      check_tables(message("sgd ", count, ", rate ", each.rate, ", momentum ", each.momentum, ", decay ", each.decay,
                           each.nesterov ? ", nesterov" : "", ", scale ", each.scale),
                   [&]<class T>(const Kernels<T>& k) {
                     const Buffer<T> gradient(dw);
                     Buffer<T> velocity(v), weight(w);
                     k.sgd_step(count, static_cast<T>(each.rate), static_cast<T>(each.momentum),
                                static_cast<T>(each.decay), each.nesterov, static_cast<T>(each.scale), gradient.data(),
                                velocity.data(), weight.data());
                     return std::vector<Buffer<T>>{velocity, weight};
                   },
                   {v_error, w_error});
    }
}

TEST_CASE("sgd step: two steps by hand") {
  double w = 1, v = 0;
  const double dw = 2;
  const Kernels<double>& kernels = reference_kernels<double>();
  kernels.sgd_step(1, 0.1, 0.5, 0.25, false, 0.5, &dw, &v, &w);  // g = 1 + 0.25 = 1.25
  CHECK(v == 1.25);
  CHECK(w == doctest::Approx(0.875).epsilon(1e-15));
  kernels.sgd_step(1, 0.1, 0.5, 0.25, true, 0.5, &dw, &v, &w);  // g = 1 + 0.21875, v = 0.625 + g = 1.84375
  CHECK(v == doctest::Approx(1.84375).epsilon(1e-15));
  CHECK(w == doctest::Approx(0.875 - 0.1 * (1.21875 + 0.5 * 1.84375)).epsilon(1e-15));
}

TEST_CASE("sum of squares: in double, the same bits for any number of threads") {
  for (const std::int64_t count : {0, 1, 5, 16, 33, 1000, 32769, 2000001}) {
    RandomStream random = test_stream(81, static_cast<std::uint32_t>(count));
    // Sizes that change along the array, so that another order of summation shows in the bits.
    Floats values = uniform(random, count, -3, 3);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= std::exp(5 * std::sin(static_cast<float>(i) * 1e-4f));
    const Buffer<float> x(values);
    long double exact = 0;
    for (std::int64_t i = 0; i < count; ++i) exact += static_cast<long double>(x[i]) * x[i];
    const double want = static_cast<double>(exact);
    // Every rounding to the same side: the low bits of squares are no even mix, so plain summation does drift.
    const double tolerance = static_cast<double>(count) * 0x1p-53 * want;
    CHECK(std::abs(sum_of_squares(reference_kernels<float>(), x) - want) <= tolerance);
    const Buffer<double> in_double(Floats(x.data(), x.data() + count));
    CHECK(std::abs(sum_of_squares(reference_kernels<double>(), in_double) - want) <= tolerance);

    std::optional<double> first;
    const auto check_table = [&](const std::string& table, const Kernels<float>& kernels) {
      INFO(table);
      const double got = sum_of_squares(kernels, x);
      CHECK(std::abs(got - want) <= tolerance);
      CHECK(got == first.value_or(got));
      first = got;
    };
    for_each_cpu_table(check_table);
    first.reset();
    for (int i = 0; i < 2; ++i) check_table(name_of(device_in_use()), kernels<float>());
  }
  CHECK(sum_of_squares(kernels<float>(), Buffer<float>(Floats(4, 1e30f))) == doctest::Approx(4e60));  // beyond float
  CHECK(std::isnan(sum_of_squares(kernels<float>(), Buffer<float>(Floats{1, NAN}))));

  // Several at once.
  const Buffer<float> one(Floats{1, 2}), other(Floats{3, 4, 12});
  const std::int64_t counts[] = {2, 0, 3};
  const float* const numbers[] = {one.data(), other.data(), other.data()};
  double sums[] = {7, 7, 7};
  kernels<float>().sums_of_squares(3, counts, numbers, sums);
  CHECK(sums[0] == 5);
  CHECK(sums[1] == 0);
  CHECK(sums[2] == 169);
}
