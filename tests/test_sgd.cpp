// The optimizer's kernels: every table against the reference in double.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
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

// One array of a step. Each of its buffers has one number more than it has, which must stay as it is: behind the array,
// or with a shift before it.
struct Array {
  std::int64_t count;
  float rate, decay;
  int dw_shift = 0, v_shift = 0, w_shift = 0;
};
struct Settings {
  float momentum;
  bool nesterov;
  float scale;
};

Floats numbers_of(std::size_t array, std::int64_t count, std::uint32_t purpose) {
  RandomStream random = test_stream(80, static_cast<std::uint32_t>(3 * array) + purpose);
  return uniform_parameters(random, count + 1);
}

// Gradient, velocity and weight of each array after a step; at most `together` arrays a call.
template <class T>
Outputs step(const Kernels<T>& kernels, const std::vector<Array>& arrays, const Settings& settings,
             std::size_t together = std::numeric_limits<std::size_t>::max()) {
  using P = ParameterOf<T>;
  std::vector<Buffer<P>> buffers;
  for (std::size_t i = 0; i < arrays.size(); ++i)
    for (const std::uint32_t purpose : {0, 1, 2}) buffers.emplace_back(numbers_of(i, arrays[i].count, purpose));
  std::vector<SgdArray<P>> list;
  const auto run = [&] {
    kernels.sgd_step(static_cast<int>(list.size()), list.data(), static_cast<P>(settings.momentum), settings.nesterov,
                     static_cast<P>(settings.scale));
    list.clear();
  };
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const Array& a = arrays[i];
    list.push_back({a.count, static_cast<P>(a.rate), static_cast<P>(a.decay), buffers[3 * i].data() + a.dw_shift,
                    buffers[3 * i + 1].data() + a.v_shift, buffers[3 * i + 2].data() + a.w_shift});
    if (list.size() == together) run();
  }
  run();
  return Outputs(buffers.begin(), buffers.end());
}

void check_step(const std::vector<Array>& arrays, const Settings& settings) {
  std::vector<Tolerance> tolerances;
  std::string what = message("sgd, momentum ", settings.momentum, settings.nesterov ? ", nesterov" : "", ", scale ",
                             settings.scale, "; counts, rates, decays:");
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const Array& a = arrays[i];
    if (i < 20) what += message(" ", a.count, ", ", a.rate, ", ", a.decay, ";");
    const Floats dw = numbers_of(i, a.count, 0), v = numbers_of(i, a.count, 1), w = numbers_of(i, a.count, 2);
    Tolerance v_error = exactly(a.count + 1), w_error = v_error;
    for (std::int64_t j = 0; j < a.count; ++j) {
      const auto at = [&](const Floats& x, int shift) { return x[static_cast<std::size_t>(j + shift)]; };
      const float weight = at(w, a.w_shift);
      const double gradient = std::abs(settings.scale * at(dw, a.dw_shift)) + std::abs(a.decay * weight);
      const double velocity = std::abs(settings.momentum * at(v, a.v_shift)) + gradient;
      v_error[static_cast<std::size_t>(j + a.v_shift)] = float_error(5, velocity);
      // The last rounding is one of w, the others of the step.
      w_error[static_cast<std::size_t>(j + a.w_shift)] =
          float_error(1, std::abs(weight)) + float_error(9, a.rate * (velocity + gradient));
    }
    tolerances.insert(tolerances.end(), {exactly(a.count + 1), v_error, w_error});
  }
  check_tables(
      what, [&](const auto& kernels) { return step(kernels, arrays, settings); }, tolerances);
}

}  // namespace

TEST_CASE("sgd step: momentum, decay, Nesterov, scale") {
  for (const std::int64_t count : {1, 3, 17, 1000, 100003})
    for (const Settings& each : {Settings{0, false, 1}, {0.9f, false, 1}, {0.9f, false, 0.25f}, {0.99f, true, 0.01f}})
      for (const Array& one : {Array{count, 0.1f, 0}, Array{count, 0.01f, 5e-4f}, Array{count, 0, 0.1f}})
        check_step({one}, each);
}

TEST_CASE("sgd step: lists of arrays") {
  const Settings plain{0.9f, false, 0.5f}, nesterov{0.9f, true, 1};
  std::vector<std::vector<std::int64_t>> lists{{}, {0}, {0, 0, 0}};
  for (const std::int64_t count : {1, 3, 4, 5, 1023, 4095, 4096, 4097}) lists.push_back({count});
  lists.push_back({5, 0, 1, 4096, 0, 0, 3, 4, 8193, 1023, 100003, 0, 64});
  lists.push_back({0, 0, 40000, 1});
  std::vector<std::int64_t> many;  // more than a launch takes; some without numbers
  for (std::int64_t i = 0; i < 200; ++i) many.push_back(i % 7 == 6 ? 0 : i * 37 % 150);
  many[100] = 5000;
  lists.push_back(many);
  for (const auto& counts : lists) {
    std::vector<Array> arrays;
    for (const std::int64_t count : counts) {
      const auto i = static_cast<int>(arrays.size());
      // One of three arrays is not aligned as the others are.
      arrays.push_back({count, 0.01f * static_cast<float>(1 + i % 5), 0.1f * static_cast<float>(i % 3), i % 4 == 1,
                        i % 4 == 2, i % 4 == 3});
    }
    check_step(arrays, plain);
    check_step(arrays, nesterov);
  }
}

TEST_CASE("sgd step: a list gives the bits of its arrays one by one") {
  std::vector<Array> arrays;
  for (const std::int64_t count : {70000, 1, 64, 0, 4099})
    arrays.push_back({count, 0.1f * static_cast<float>(arrays.size()), 0.01f});
  const Settings settings{0.9f, true, 0.3f};
  const auto check_table = [&](const std::string& table, const Kernels<float>& kernels) {
    INFO(table);
    const Outputs together = step(kernels, arrays, settings);
    const Outputs one_by_one = step(kernels, arrays, settings, 1);
    REQUIRE(together.size() == 3 * arrays.size());
    for (std::size_t i = 0; i < together.size(); ++i) CHECK(together[i].same_bits(one_by_one[i]));
  };
  for_each_cpu_table(check_table);
  check_table("reference", reference_kernels<float>());
  check_table(name_of(device_in_use()), kernels<float>());
}

TEST_CASE("sgd step: two steps by hand") {
  double w = 1, v = 0;
  const double dw = 2;
  const SgdArray<double> list[] = {{1, 0.1, 0.25, &dw, &v, &w}};
  const Kernels<double>& kernels = reference_kernels<double>();
  kernels.sgd_step(1, list, 0.5, false, 0.5);  // g = 1 + 0.25 = 1.25
  CHECK(v == 1.25);
  CHECK(w == doctest::Approx(0.875).epsilon(1e-15));
  kernels.sgd_step(1, list, 0.5, true, 0.5);  // g = 1 + 0.21875, v = 0.625 + g = 1.84375
  CHECK(v == doctest::Approx(1.84375).epsilon(1e-15));
  CHECK(w == doctest::Approx(0.875 - 0.1 * (1.21875 + 0.5 * 1.84375)).epsilon(1e-15));
}

TEST_CASE("sum of squares: in double, the same bits for any number of threads") {
  for (const std::int64_t count : {0, 1, 5, 16, 33, 1000, 32769, 2000001}) {
    RandomStream random = test_stream(81, static_cast<std::uint32_t>(count));
    // Sizes that change along the array, so that another order of summation shows in the bits.
    Floats values = uniform_parameters(random, count, -3, 3);
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
}

TEST_CASE("sum of squares: an array's bits depend on its numbers alone, not on the list nor on where they lie") {
  std::vector<std::int64_t> counts{0, 1000000, 1, 4095, 4096, 4097, 40000, 0};
  for (std::int64_t i = 0; i < 400; ++i) counts.push_back(i * 37 % 150);  // more than a launch takes
  // Few numbers a sum, and many sums: one more rounding here or there would be lost in a long one.
  for (std::int64_t i = 0; i < 60; ++i) counts.push_back(4096 + 1024 * (i % 5));
  counts.push_back(70000);
  RandomStream random = test_stream(82);
  std::vector<Buffer<float>> arrays, aligned;
  std::vector<const float*> numbers;
  for (const std::int64_t count : counts) {
    Floats values = uniform_parameters(random, count);
    // Neighbours of very different sizes: sums of like ones are exact, and the same in every order.
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= std::exp(3 * std::sin(static_cast<float>(i) * 0.7f));
    numbers.push_back(arrays.emplace_back(values).data());
    buffers_are_aligned = true;
    aligned.emplace_back(values);
    buffers_are_aligned = false;
  }
  const auto check_table = [&](const std::string& table, const Kernels<float>& kernels) {
    INFO(table);
    std::vector<double> sums(counts.size(), 7);
    kernels.sums_of_squares(static_cast<int>(counts.size()), counts.data(), numbers.data(), sums.data());
    for (std::size_t i = 0; i < counts.size(); ++i) {
      INFO("array ", i, " of ", counts[i]);
      CHECK(sums[i] == sum_of_squares(kernels, arrays[i]));
      CHECK(sums[i] == sum_of_squares(kernels, aligned[i]));
      const double want = sum_of_squares(reference_kernels<float>(), arrays[i]);
      CHECK(std::abs(sums[i] - want) <= static_cast<double>(counts[i]) * 0x1p-53 * want);
    }
  };
  check_table("reference", reference_kernels<float>());
  for_each_cpu_table(check_table);
  check_table(name_of(device_in_use()), kernels<float>());
  kernels<float>().sums_of_squares(0, nullptr, nullptr, nullptr);
}
