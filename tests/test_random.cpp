// Philox4x32-10 against the known answers of its authors (the file kat_vectors of the Random123 distribution), and what
// streams promise.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "tensor/random.h"

using namespace acol;

namespace {

std::vector<std::uint32_t> draws(RandomStream stream, int count = 10) {
  std::vector<std::uint32_t> values;
  for (int i = 0; i < count; ++i) values.push_back(stream.bits());
  return values;
}

}  // namespace

TEST_CASE("philox: known answers") {
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({~0u, ~0u, ~0u, ~0u}, ~0ull) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  // The key's words in their order: a4093822 first, that is low.
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822ull) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream is its counter blocks, word after word") {
  RandomStream stream(42, Purpose::augment, 3, 9);
  for (std::uint32_t block = 0; block < 3; ++block)
    for (const std::uint32_t word : philox4x32({block, static_cast<std::uint32_t>(Purpose::augment), 3, 9}, 42))
      CHECK(stream.bits() == word);
}

TEST_CASE("equal arguments give equal draws; seed, purpose, a and b each make another stream") {
  const RandomStream stream(5, Purpose::test, 1, 2);
  CHECK(draws(stream) == draws(stream));
  CHECK(draws(stream) == draws({5, Purpose::test, 1, 2}));
  const std::set<std::vector<std::uint32_t>> different = {draws(stream),
                                                          draws({6, Purpose::test, 1, 2}),
                                                          draws({5 + (1ull << 32), Purpose::test, 1, 2}),
                                                          draws({5, Purpose::weights, 1, 2}),
                                                          draws({5, Purpose::test, 2, 2}),
                                                          draws({5, Purpose::test, 2, 1}),
                                                          draws({5, Purpose::test, 1, 3})};
  CHECK(different.size() == 7);
}

TEST_CASE("uniform: in [0, 1), mean 1/2, variance 1/12") {
  RandomStream stream(1, Purpose::test);
  const int count = 100000;
  double sum = 0, squares = 0;
  float low = 1, high = 0;
  for (int i = 0; i < count; ++i) {
    const float value = stream.uniform();
    low = std::min(low, value);
    high = std::max(high, value);
    sum += value;
    squares += double{value} * value;
  }
  CHECK(low >= 0);
  CHECK(low <= 0.001f);
  CHECK(high < 1);
  CHECK(high >= 0.999f);
  const double mean = sum / count;
  CHECK(std::abs(mean - 0.5) <= 5 * std::sqrt(1.0 / 12 / count));
  CHECK(std::abs(squares / count - mean * mean - 1.0 / 12) <= 0.002);

  for (int i = 0; i < 1000; ++i) {
    const float value = stream.uniform(-3, 5);
    CHECK(value >= -3);
    CHECK(value < 5);
  }
}

TEST_CASE("below: every number of [0, count), about equally often") {
  RandomStream stream(2, Purpose::test);
  std::array<int, 7> seen{};
  for (int i = 0; i < 70000; ++i) {
    const int value = stream.below(7);
    REQUIRE(value >= 0);
    REQUIRE(value < 7);
    ++seen[static_cast<std::size_t>(value)];
  }
  for (const int times : seen) CHECK(std::abs(times - 10000) <= 5 * 93);  // deviation sqrt(70000 1/7 6/7)
  for (int i = 0; i < 10; ++i) CHECK(stream.below(1) == 0);
}

TEST_CASE("normal: mean 0, variance 1, tails") {
  RandomStream stream(3, Purpose::test);
  const int count = 100000;
  double sum = 0, squares = 0;
  int beyond_two = 0;
  for (int i = 0; i < count; ++i) {
    const double value = stream.normal();
    REQUIRE(std::isfinite(value));
    sum += value;
    squares += value * value;
    beyond_two += std::abs(value) > 2;
  }
  CHECK(std::abs(sum / count) <= 5 / std::sqrt(count));
  CHECK(std::abs(squares / count - 1) <= 5 * std::sqrt(2.0 / count));
  CHECK(std::abs(beyond_two / double{count} - 0.0455) <= 5 * std::sqrt(0.0455 / count));
}
