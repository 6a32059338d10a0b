// Counter-based random numbers: a draw is a function of (seed, purpose, a, b, index) and of nothing else, so that runs
// repeat bit for bit on any number of threads and after any resume.
//
// The generator is Philox4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011, section 4.3.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace acol {

// What a stream is drawn for; keeps streams of equal (a, b) apart. Values are part of the file format of a run: append
// only.
enum class Purpose : std::uint32_t {
  weights = 1,    // a: parameter number
  shuffle = 2,    // a: epoch
  augment = 3,    // a: epoch, b: sample
  dropout = 4,    // a: step, b: layer
  synthetic = 5,  // a: split, b: sample
  test = 6,
  probe = 7,      // a: sample
  split = 8,      // a: class
  bootstrap = 9,  // a: resample
};

// Ten rounds of Philox4x32: four 32-bit words out for a 128-bit counter and a 64-bit key.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::uint64_t key) {
  auto key0 = static_cast<std::uint32_t>(key);
  auto key1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(product0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

// A sequence of draws. Copy it freely; two streams with the same arguments give the same numbers.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, Purpose purpose, std::uint32_t a = 0, std::uint32_t b = 0)
      : seed_(seed), purpose_(static_cast<std::uint32_t>(purpose)), a_(a), b_(b) {}

  // 32 random bits.
  std::uint32_t bits() {
    if (index_ % 4 == 0) block_ = philox4x32({index_ / 4, purpose_, a_, b_}, seed_);
    return block_[index_++ % 4];
  }

  // Uniform in [0, 1), a multiple of 2^-24.
  float uniform() { return static_cast<float>(bits() >> 8) * 0x1p-24f; }
  float uniform(float low, float high) { return low + (high - low) * uniform(); }

  // Uniform integer in [0, count), count >= 1; the bias is below count / 2^32.
  int below(int count) { return static_cast<int>((std::uint64_t{bits()} * static_cast<std::uint64_t>(count)) >> 32); }

  // Standard normal (Box-Muller; uses two draws).
  float normal() {
    const double radius = std::sqrt(-2.0 * std::log((static_cast<double>(bits()) + 0.5) * 0x1p-32));
    const double angle = 2.0 * std::numbers::pi * (static_cast<double>(bits()) * 0x1p-32);
    return static_cast<float>(radius * std::cos(angle));
  }

 private:
  std::uint64_t seed_;
  std::uint32_t purpose_, a_, b_;
  std::uint32_t index_ = 0;
  std::array<std::uint32_t, 4> block_{};
};

}  // namespace acol
