// Initialisers: ranges, moments (tolerances of five deviations of the estimate), and that draws repeat.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "layers/init.h"
#include "tensor/random.h"

using namespace acol;

namespace {

struct Moments {
  double mean = 0, variance = 0, low = 0, high = 0, within_one_deviation = 0;
  std::int64_t count = 0;
};

Moments moments_of(const Tensor& w) {
  Moments m;
  m.count = w.count();
  const double n = static_cast<double>(m.count);
  m.low = m.high = w.at(0);
  for (std::int64_t i = 0; i < w.count(); ++i) {
    m.mean += w.at(i) / n;
    m.low = std::min(m.low, w.at(i));
    m.high = std::max(m.high, w.at(i));
  }
  for (std::int64_t i = 0; i < w.count(); ++i) m.variance += (w.at(i) - m.mean) * (w.at(i) - m.mean) / n;
  for (std::int64_t i = 0; i < w.count(); ++i)
    m.within_one_deviation += std::abs(w.at(i)) <= std::sqrt(m.variance) ? 1 / n : 0;
  return m;
}

// NaN all through, so that an element left out is seen.
Tensor unset(const Shape& shape, DType dtype) {
  return Tensor::full(shape, std::numeric_limits<double>::quiet_NaN(), dtype);
}

// Uniform in [-a, a): variance a^2 / 3, whose estimate from n draws has the relative deviation sqrt((9/5 - 1) / n).
void check_uniform(const Tensor& w, double a) {
  const Moments m = moments_of(w);
  const double n = static_cast<double>(m.count);
  const double ulp = 1 + 0x1p-23;  // float32 rounds
  CHECK(m.low >= -a * ulp);
  CHECK(m.high <= a * ulp);
  CHECK(m.low <= -a * (1 - 20 / n));  // missed with probability e^-10
  CHECK(m.high >= a * (1 - 20 / n));
  CHECK(std::abs(m.mean) <= 5 * a / std::sqrt(3 * n));
  CHECK(std::abs(m.variance / (a * a / 3) - 1) <= 5 * std::sqrt(0.8 / n));
  CHECK(std::abs(m.within_one_deviation - 1 / std::sqrt(3.0)) <= 5 * std::sqrt(0.25 / n));
}

// Normal: the estimate of the variance has the relative deviation sqrt(2 / n).
void check_normal(const Tensor& w, double deviation) {
  const Moments m = moments_of(w);
  const double n = static_cast<double>(m.count);
  CHECK(std::abs(m.mean) <= 5 * deviation / std::sqrt(n));
  CHECK(std::abs(m.variance / (deviation * deviation) - 1) <= 5 * std::sqrt(2 / n));
  CHECK(std::abs(m.within_one_deviation - 0.682689) <= 5 * std::sqrt(0.22 / n));
  CHECK(m.high >= 3 * deviation);  // of 20,000 draws about 27 are above; it has tails
  CHECK(m.low <= -3 * deviation);
}

using Initialiser = std::function<void(Tensor&, std::uint64_t seed, std::uint32_t parameter)>;

const std::vector<Initialiser> all = {
    [](Tensor& w, std::uint64_t s, std::uint32_t p) { xavier_uniform(w, s, p); },
    [](Tensor& w, std::uint64_t s, std::uint32_t p) { xavier_normal(w, s, p); },
    [](Tensor& w, std::uint64_t s, std::uint32_t p) { he_normal(w, Fan::in, s, p); },
    [](Tensor& w, std::uint64_t s, std::uint32_t p) { he_normal(w, Fan::out, s, p); },
    [](Tensor& w, std::uint64_t s, std::uint32_t p) { he_uniform(w, Fan::in, s, p); },
    [](Tensor& w, std::uint64_t s, std::uint32_t p) { he_uniform(w, Fan::out, s, p); },
};

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.count() == b.count() && std::memcmp(a.f32(), b.f32(), a.bytes()) == 0;
}

}  // namespace

TEST_CASE("init: fans") {
  CHECK(fan_of({64, 3, 5, 32}, Fan::in) == 3 * 5 * 32);
  CHECK(fan_of({64, 3, 5, 32}, Fan::out) == 3 * 5 * 64);
  CHECK(fan_of({10, 7}, Fan::in) == 7);
  CHECK(fan_of({10, 7}, Fan::out) == 10);
  CHECK_THROWS_AS(fan_of({3}, Fan::in), Error);
  CHECK_THROWS_AS(fan_of({3, 3, 3}, Fan::in), Error);
  CHECK_THROWS_AS(fan_of({3, 0}, Fan::in), Error);
  CHECK_THROWS_AS(fan_of({3, 0, 3, 3}, Fan::out), Error);
}

TEST_CASE("init: ranges and moments") {
  for (const DType dtype : {DType::float32, DType::float64}) {
    Tensor filter = unset({48, 3, 3, 50}, dtype);  // 21,600 numbers, fan_in 450, fan_out 432
    xavier_uniform(filter, 1, 0);
    check_uniform(filter, std::sqrt(6.0 / (450 + 432)));
    xavier_normal(filter, 1, 1);
    check_normal(filter, std::sqrt(2.0 / (450 + 432)));

    Tensor wide = unset({24, 3, 3, 100}, dtype);  // fan_in 900, fan_out 216
    he_normal(wide, Fan::in, 1, 2);
    check_normal(wide, std::sqrt(2.0 / 900));
    he_normal(wide, Fan::out, 1, 3);
    check_normal(wide, std::sqrt(2.0 / 216));
    he_uniform(wide, Fan::in, 1, 4);
    check_uniform(wide, std::sqrt(6.0 / 900));
    he_uniform(wide, Fan::out, 1, 5);
    check_uniform(wide, std::sqrt(6.0 / 216));

    Tensor matrix = unset({100, 200}, dtype);
    xavier_uniform(matrix, 2, 0);
    check_uniform(matrix, std::sqrt(6.0 / 300));
    xavier_normal(matrix, 2, 1);
    check_normal(matrix, std::sqrt(2.0 / 300));
    he_normal(matrix, Fan::in, 2, 2);
    check_normal(matrix, std::sqrt(2.0 / 200));
    he_uniform(matrix, Fan::out, 2, 3);
    check_uniform(matrix, std::sqrt(6.0 / 100));
  }
}

TEST_CASE("init: the draws are those of the stream, in memory order") {
  Tensor w = unset({2, 1, 3, 2}, DType::float64);
  he_uniform(w, Fan::in, 9, 4);
  RandomStream stream(9, Purpose::weights, 4);
  for (int i = 0; i < 12; ++i)
    CHECK(w.at(i) == 1.0 * (2.0 * static_cast<double>(stream.uniform()) - 1.0));  // a = sqrt(6 / 6)
  he_normal(w, Fan::out, 9, 5);
  stream = RandomStream(9, Purpose::weights, 5);
  for (int i = 0; i < 12; ++i) CHECK(w.at(i) == std::sqrt(2.0 / 6) * static_cast<double>(stream.normal()));
}

TEST_CASE("init: repeats, and depends on seed and parameter") {
  for (const Initialiser& initialise : all) {
    const auto made = [&](std::uint64_t seed, std::uint32_t parameter, DType dtype = DType::float32) {
      Tensor w = unset({5, 3, 3, 7}, dtype);
      initialise(w, seed, parameter);
      return w;
    };
    const Tensor w = made(3, 1);
    CHECK(same_bits(w, made(3, 1)));
    CHECK(same_bits(w, made(3, 1, DType::float64).to(DType::float32)));
    CHECK(!same_bits(w, made(4, 1)));
    CHECK(!same_bits(w, made(3 + (std::uint64_t{1} << 32), 1)));
    CHECK(!same_bits(w, made(3, 2)));
    Tensor bias = Tensor::zeros({4});
    CHECK_THROWS_AS(initialise(bias, 1, 1), Error);
  }
}

TEST_CASE("init: the building blocks") {
  Tensor b = unset({20000}, DType::float32);
  uniform(b, 0.25, 1, 1);
  check_uniform(b, 0.25);
  normal(b, 0.01, 1, 2);
  check_normal(b, 0.01);
  normal(b, 0, 1, 2);
  CHECK(moments_of(b).variance == 0);
  CHECK_THROWS_AS(uniform(b, -1, 1, 1), Error);
  CHECK_THROWS_AS(normal(b, NAN, 1, 1), Error);
}
