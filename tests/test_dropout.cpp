// Dropout: every table against the reference in double; which elements are kept is exact.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/compare.h"

using namespace acol;
using namespace acol::testing;

namespace {

constexpr std::uint64_t seed = 0x123456789abcdefu;

template <class T>
Outputs forward(const Kernels<T>& kernels, const Floats& numbers, float rate, std::uint32_t step, std::uint32_t layer) {
  const Buffer<T> x(numbers);
  Buffer<T> y(x.count());
  kernels.dropout_forward(x.count(), rate, seed, step, layer, x.data(), y.data());
  return {y};
}

// 0 where the reference drops, a few roundings of the value where it keeps.
Tolerance errors(const KernelOutput& want) {
  Tolerance tolerance;
  for (std::int64_t i = 0; i < want.count(); ++i)
    tolerance.push_back(want[i] == 0 ? 0 : float_error(4, std::abs(want[i])));
  return tolerance;
}

}  // namespace

TEST_CASE("dropout: forward and backward") {
  for (const std::int64_t count : {1, 3, 4, 5, 63, 64, 65, 1001, 32768, 100003})
    for (const float rate : {0.0f, 0.1f, 0.5f, 0.9f}) {
      RandomStream random = test_stream(40, static_cast<std::uint32_t>(count));
      const Floats x = uniform(random, count, 0.5f, 1), before = uniform(random, count);
      const std::uint32_t step = 1000 + static_cast<std::uint32_t>(count), layer = 3;
      const KernelOutput want = forward(reference_kernels<double>(), x, rate, step, layer)[0];
      check_tables(message("dropout forward ", count, ", rate ", rate),
                   [&]<class T>(const Kernels<T>& k) { return forward(k, x, rate, step, layer); }, {errors(want)});

      Tolerance backward = errors(want);
      for (std::size_t i = 0; i < backward.size(); ++i)
        if (backward[i] > 0) backward[i] += float_error(4, std::abs(before[i]));
      check_tables(message("dropout backward ", count, ", rate ", rate),
                   [&]<class T>(const Kernels<T>& k) {
                     const Buffer<T> dy(x);
                     Buffer<T> dx(before);
                     k.dropout_backward(count, rate, seed, step, layer, dy.data(), dx.data());
                     return Outputs{dx};
                   },
                   {backward});
    }
}

TEST_CASE("dropout: drops a share of `rate`, and other elements for another step, layer or seed") {
  const Floats ones(40000, 1.0f);
  const auto kept = [&](const KernelOutput& y) {
    std::vector<bool> mask;
    for (std::int64_t i = 0; i < y.count(); ++i) mask.push_back(y[i] != 0);
    return mask;
  };
  const auto first = kept(forward(cpu_kernels(), ones, 0.3f, 7, 1)[0]);
  CHECK(first == kept(forward(reference_kernels<float>(), ones, 0.3f, 7, 1)[0]));
  const double share = static_cast<double>(std::count(first.begin(), first.end(), true)) / 40000;
  CHECK(std::abs(share - 0.7) <= 5 * std::sqrt(0.3 * 0.7 / 40000));

  Buffer<float> other_seed(40000);
  cpu_kernels().dropout_forward(40000, 0.3f, seed + (1ull << 32), 7, 1, ones.data(), other_seed.data());
  for (const auto& other : {kept(forward(cpu_kernels(), ones, 0.3f, 8, 1)[0]),
                            kept(forward(cpu_kernels(), ones, 0.3f, 7, 2)[0]), kept(other_seed)}) {
    int equal = 0;
    for (std::size_t i = 0; i < first.size(); ++i) equal += first[i] == other[i];
    // Two independent masks agree with probability .7^2 + .3^2 = .58.
    CHECK(std::abs(equal / 40000.0 - 0.58) <= 5 * std::sqrt(0.58 * 0.42 / 40000));
  }
}

TEST_CASE("dropout: a draw equal to the rate is kept, one below it is not") {
  const auto words = philox4x32({2, static_cast<std::uint32_t>(Purpose::dropout), 7, 1}, seed);
  const float draw = static_cast<float>(words[3] >> 8) * 0x1p-24f;  // that of element 11
  REQUIRE(draw > 0);
  REQUIRE(draw < 1);
  const auto check_one = [&](const std::string& table, const Kernels<float>& kernels) {
    INFO(table);
    const Floats ones(12, 1.0f);
    CHECK(forward(kernels, ones, draw, 7, 1)[0][11] != 0);
    CHECK(forward(kernels, ones, std::nextafter(draw, 1.0f), 7, 1)[0][11] == 0);
  };
  check_one("reference", reference_kernels<float>());
  for_each_cpu_table(check_one);
}

TEST_CASE("dropout: a dropped NaN is 0") {
  const Floats x(1000, NAN);
  const KernelOutput want = forward(reference_kernels<double>(), x, 0.5f, 1, 1)[0];
  check_tables("dropout of NaN", [&]<class T>(const Kernels<T>& k) { return forward(k, x, 0.5f, 1, 1); },
               {exactly(1000)});
  int zeros = 0;
  for (std::int64_t i = 0; i < want.count(); ++i) zeros += want[i] == 0;
  CHECK(zeros > 400);
  CHECK(zeros < 600);
}
