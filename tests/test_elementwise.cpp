// Element-by-element kernels: every table against the reference in double.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>

#include "tests/compare.h"

using namespace acol;
using namespace acol::testing;

namespace {

// Around vectors, and above the size where threads share the work.
const std::int64_t counts[] = {1, 2, 3, 7, 15, 16, 17, 33, 1000, 32768, 100003};

// Numbers with ties, zeros of both signs, infinities and NaN in them.
Floats with_special(RandomStream& random, Floats numbers) {
  const float values[] = {0.0f, -0.0f, 1, -1, 0.5f, INFINITY, -INFINITY, NAN};
  for (float& number : numbers)
    if (random.below(2) == 0) number = values[random.below(8)];
  return numbers;
}
Floats special(RandomStream& random, std::int64_t count) { return with_special(random, uniform(random, count)); }

// The sum of the two where finite: what a tolerance of a += b is relative to.
Tolerance sum_errors(double roundings, const Floats& a, const Floats& b) {
  Tolerance tolerance;
  for (std::size_t i = 0; i < a.size(); ++i)
    tolerance.push_back(float_error(roundings, std::abs(double{a[i]}) + std::abs(double{b[i]})));
  return tolerance;
}

Floats products(const Floats& a, const Floats& b) {
  Floats product = a;
  for (std::size_t i = 0; i < a.size(); ++i) product[i] *= b[i];
  return product;
}

template <class T>
using Binary = void (*Kernels<T>::*)(std::int64_t, const T*, const T*, T*);

template <class T>
Outputs binary(const Kernels<T>& kernels, Binary<T> entry, const Floats& a, const Floats& b) {
  const Buffer<T> left(a), right(b);
  Buffer<T> y(left.count());
  (kernels.*entry)(left.count(), left.data(), right.data(), y.data());
  return {y};
}

template <class T>
using BinaryBackward = void (*Kernels<T>::*)(std::int64_t, const T*, const T*, const T*, T*, T*);

// wanted: bit 0 da, bit 1 db.
template <class T>
Outputs binary_backward(const Kernels<T>& kernels, BinaryBackward<T> entry, const Floats& a, const Floats& b,
                        const Floats& dy, const Floats& before, int wanted) {
  const Buffer<T> left(a), right(b), gradient(dy);
  Buffer<T> da(before), db(before);
  (kernels.*entry)(left.count(), left.data(), right.data(), gradient.data(), wanted & 1 ? da.data() : nullptr,
                   wanted & 2 ? db.data() : nullptr);
  return {da, db};
}

}  // namespace

TEST_CASE("relu") {
  for (const std::int64_t count : counts) {
    RandomStream random = test_stream(30, static_cast<std::uint32_t>(count));
    const Floats x = special(random, count), dy = uniform(random, count), dx_before = uniform(random, count);
    for (const bool in_place : {false, true})
      check_tables(message("relu forward ", count, in_place ? " in place" : ""),
                   [&]<class T>(const Kernels<T>& k) {
                     Buffer<T> input(x), y(count);
                     k.relu_forward(count, input.data(), in_place ? input.data() : y.data());
                     return Outputs{in_place ? input : y};
                   },
                   {exactly(count)});
    check_tables(message("relu backward ", count),
                 [&]<class T>(const Kernels<T>& k) {
                   const Buffer<T> y(x), gradient(dy);
                   Buffer<T> dx(dx_before);
                   k.relu_backward(count, y.data(), gradient.data(), dx.data());
                   return Outputs{dx};
                 },
                 {sum_errors(1, dx_before, dy)});
  }
}

TEST_CASE("relu: NaN stays NaN, its gradient is stopped, and so is that of 0") {
  const Floats x = {NAN, -1, 0, 2};
  for_each_cpu_table([&](const std::string& table, const Kernels<float>& kernels) {
    INFO(table);
    Buffer<float> y(4), dx(Floats{1, 1, 1, 1});
    kernels.relu_forward(4, x.data(), y.data());
    CHECK(std::isnan(y[0]));
    CHECK(y[1] == 0);
    CHECK(y[3] == 2);
    const Floats dy = {10, 10, 10, 10};
    kernels.relu_backward(4, y.data(), dy.data(), dx.data());
    CHECK(dx[0] == 1);
    CHECK(dx[1] == 1);
    CHECK(dx[2] == 1);
    CHECK(dx[3] == 11);
  });
}

TEST_CASE("add, multiply, maximum: forward") {
  for (const std::int64_t count : counts) {
    RandomStream random = test_stream(31, static_cast<std::uint32_t>(count));
    for (const bool odd : {false, true}) {
      const Floats a = odd ? special(random, count) : uniform(random, count);
      const Floats b = odd ? special(random, count) : uniform(random, count);
      check_tables(message("add ", count),
                   [&]<class T>(const Kernels<T>& k) { return binary(k, &Kernels<T>::add_forward, a, b); },
                   {sum_errors(1, a, b)});
      check_tables(message("multiply ", count),
                   [&]<class T>(const Kernels<T>& k) { return binary(k, &Kernels<T>::multiply_forward, a, b); },
                   {sum_errors(1, products(a, b), Floats(a.size(), 0.0f))});
      check_tables(message("maximum ", count),
                   [&]<class T>(const Kernels<T>& k) { return binary(k, &Kernels<T>::maximum_forward, a, b); },
                   {exactly(count)});
    }
  }
}

TEST_CASE("multiply, maximum: backward, into both, either or none") {
  for (const std::int64_t count : counts)
    for (int wanted = 0; wanted < 4; ++wanted) {
      RandomStream random = test_stream(34 + static_cast<std::uint32_t>(wanted), static_cast<std::uint32_t>(count));
      const Floats a = uniform(random, count), b = uniform(random, count), dy = uniform(random, count),
                   before = uniform(random, count);
      check_tables(message("multiply backward ", count, ", outputs ", wanted),
                   [&]<class T>(const Kernels<T>& k) {
                     return binary_backward(k, &Kernels<T>::multiply_backward, a, b, dy, before, wanted);
                   },
                   {sum_errors(2, before, products(dy, b)), sum_errors(2, before, products(dy, a))});
      const Floats ties = special(random, count), other = special(random, count);
      check_tables(message("maximum backward ", count, ", outputs ", wanted),
                   [&]<class T>(const Kernels<T>& k) {
                     return binary_backward(k, &Kernels<T>::maximum_backward, ties, other, dy, before, wanted);
                   },
                   {sum_errors(1, before, dy), sum_errors(1, before, dy)});
    }
}

TEST_CASE("maximum: a wins a tie; a NaN wins over a number") {
  const Floats a = {1, 1, 2, NAN, 0}, b = {1, 2, 1, 0, NAN}, dy = {1, 1, 1, 1, 1};
  const Floats to_a = {1, 0, 1, 1, 0};
  const auto check_one = [&](const std::string& table, const Kernels<float>& kernels) {
    INFO(table);
    Buffer<float> y(5), da(Floats(5, 0.0f)), db(Floats(5, 0.0f));
    kernels.maximum_forward(5, a.data(), b.data(), y.data());
    kernels.maximum_backward(5, a.data(), b.data(), dy.data(), da.data(), db.data());
    CHECK(y[0] == 1);
    CHECK(y[1] == 2);
    CHECK(y[2] == 2);
    CHECK(std::isnan(y[3]));
    CHECK(std::isnan(y[4]));
    for (int i = 0; i < 5; ++i) {
      CHECK(da[i] == to_a[static_cast<std::size_t>(i)]);
      CHECK(db[i] == 1 - to_a[static_cast<std::size_t>(i)]);
    }
  };
  check_one("reference", reference_kernels<float>());
  for_each_cpu_table(check_one);
}

TEST_CASE("multiply backward into one array: the gradient of a square") {
  const auto check_one = [&](const std::string& table, const Kernels<float>& kernels) {
    INFO(table);
    const Floats x = {1, 2, 3, 4, 5, 6, 7, 8, 9}, dy(9, 10.0f);
    Buffer<float> dx(Floats(9, 1.0f));
    kernels.multiply_backward(9, x.data(), x.data(), dy.data(), dx.data(), dx.data());
    for (int i = 0; i < 9; ++i) CHECK(dx[i] == 1 + 20 * x[static_cast<std::size_t>(i)]);
  };
  check_one("reference", reference_kernels<float>());
  for_each_cpu_table(check_one);
}

TEST_CASE("accumulate") {
  for (const std::int64_t count : counts)
    for (const float factor : {1.0f, -0.3f, 0.0f}) {
      RandomStream random = test_stream(33, static_cast<std::uint32_t>(count));
      const Floats x = uniform(random, count), before = uniform(random, count);
      Floats scaled = x;
      for (float& value : scaled) value *= factor;
      check_tables(message("accumulate ", count, ", factor ", factor),
                   [&]<class T>(const Kernels<T>& k) {
                     const Buffer<T> input(x);
                     Buffer<T> y(before);
                     k.accumulate(count, factor, input.data(), y.data());
                     return Outputs{y};
                   },
                   {sum_errors(2, before, scaled)});
    }
}

TEST_CASE("between activations and parameters") {
  for (const std::int64_t count : counts) {
    RandomStream random = test_stream(35, static_cast<std::uint32_t>(count));
    const Floats x = special(random, count), before = uniform(random, count);
    const Floats added = with_special(random, uniform_parameters(random, count));
    check_tables(message("to parameters ", count),
                 [&]<class T>(const Kernels<T>& k) {
                   const Buffer<T> input(x);
                   Buffer<ParameterOf<T>> y(count);
                   k.to_parameters(count, input.data(), y.data());
                   return Outputs{y};
                 },
                 {exactly(count)});
    check_tables(message("add parameters ", count),
                 [&]<class T>(const Kernels<T>& k) {
                   const Buffer<ParameterOf<T>> input(added);
                   Buffer<T> y(before);
                   k.add_parameters(count, input.data(), y.data());
                   return Outputs{y};
                 },
                 {sum_errors(1, before, added)});
  }
}

TEST_CASE("between activations and parameters: every number of 16 bits, and every way to round to one") {
  Floats exact, others;
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
    exact.push_back(std::bit_cast<float>(upper << 16));
    for (const std::uint32_t lower : {0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})  // 0x8000: a tie
      others.push_back(std::bit_cast<float>(upper << 16 | lower));
  }
  check_tables("to parameters",
               [&]<class T>(const Kernels<T>& k) {
                 const Buffer<T> input(exact);
                 Buffer<ParameterOf<T>> y(input.count());
                 k.to_parameters(input.count(), input.data(), y.data());
                 return Outputs{y};
               },
               {Tolerance(exact.size(), 0.0)});
  others.insert(others.end(), exact.begin(), exact.end());
  check_tables("add parameters",
               [&]<class T>(const Kernels<T>& k) {
                 const Buffer<ParameterOf<T>> input(others);
                 Buffer<T> y(Floats(others.size(), 0.0f));
                 k.add_parameters(input.count(), input.data(), y.data());
                 return Outputs{y};
               },
               {Tolerance(others.size(), 0.0)});
}
