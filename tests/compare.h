// Holding kernels to the reference in double: guarded buffers, computed tolerances, a comparison that NaN cannot pass.
#pragma once

#include <doctest/doctest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "tensor/kernels.h"
#include "tensor/random.h"
#include "tensor/simd/level.h"
#include "tensor/tensor.h"

namespace acol::testing {

using Floats = std::vector<float>;

// Unlike the kernels' own streams: purpose `test`, so that a test can not agree with a kernel by sharing its draws.
inline RandomStream test_stream(std::uint32_t a, std::uint32_t b = 0) { return {20180618, Purpose::test, a, b}; }

// Whether the card's Bf16 table is checked, in place of its float one (ACOL_TEST_PRECISION=bf16, see tests/main.cpp).
inline bool bf16_is_checked() { return activation_type() == DType::bfloat16; }

// Numbers that activations of the checked table hold exactly, so that the reference sees the same ones.
inline Floats as_activations(Floats values) {
  if (bf16_is_checked())
    for (float& value : values) value = Bf16(value);
  return values;
}

inline Floats uniform_parameters(RandomStream& random, std::int64_t count, float low = -1, float high = 1) {
  Floats values(static_cast<std::size_t>(count));
  for (float& value : values) value = random.uniform(low, high);
  return values;
}
inline Floats uniform(RandomStream& random, std::int64_t count, float low = -1, float high = 1) {
  return as_activations(uniform_parameters(random, count, low, high));
}

inline Floats absolute(Floats values) {
  for (float& value : values) value = std::abs(value);
  return values;
}

inline std::vector<int> labels_below(RandomStream& random, int count, int classes) {
  std::vector<int> labels(static_cast<std::size_t>(count));
  for (int& label : labels) label = random.below(classes);
  return labels;
}

// Ordinary memory, or where kernels run on a card, memory that the host may touch as well.
template <class T>
struct DeviceAllocator {
  using value_type = T;
  T* allocate(std::size_t count) {
    const DeviceMemory* const device = device_memory();
    return device == nullptr ? std::allocator<T>().allocate(count)
                             : reinterpret_cast<T*>(device->take_shared(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t count) {
    if (const DeviceMemory* const device = device_memory())
      device->give_back_shared(reinterpret_cast<std::byte*>(memory));
    else
      std::allocator<T>().deallocate(memory, count);
  }
  friend bool operator==(const DeviceAllocator&, const DeviceAllocator&) { return true; }
};

// Numbers with a guard zone on both sides. The zones hold junk (NaN, or 0xA5 bytes), so that a kernel that writes there
// is seen by guards_intact() and one that reads there by its NaN results. Not aligned beyond its element on purpose,
// but where `buffers_are_aligned` says so.
inline bool buffers_are_aligned = false;
template <class T>
class Buffer {
 public:
  // Inputs, and gradients that are added to; each a number that T holds exactly.
  explicit Buffer(const Floats& values) : Buffer(static_cast<std::int64_t>(values.size())) {
    std::transform(values.begin(), values.end(), data(), [](float value) {
      const T number = static_cast<T>(value);
      if (!(static_cast<float>(number) == value) && !std::isnan(value)) FAIL("as_activations() is left out: ", value);
      return number;
    });
  }
  // Outputs: junk all through.
  explicit Buffer(std::int64_t count) : numbers_(static_cast<std::size_t>(count + 2 * guard_), junk()) {}

  T* data() { return numbers_.data() + guard_; }
  const T* data() const { return numbers_.data() + guard_; }
  std::int64_t count() const { return static_cast<std::int64_t>(numbers_.size()) - 2 * guard_; }
  T operator[](std::int64_t i) const { return data()[i]; }

  bool guards_intact() const {
    const auto is_junk = [](const T& number) {
      const T value = junk();
      return std::memcmp(&number, &value, sizeof(T)) == 0;
    };
    return std::all_of(numbers_.begin(), numbers_.begin() + guard_, is_junk) &&
           std::all_of(numbers_.end() - guard_, numbers_.end(), is_junk);
  }

 private:
  std::int64_t guard_ = buffers_are_aligned ? 64 : 67;
  static T junk() {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(0xA5);
    else
      return static_cast<T>(std::numeric_limits<float>::quiet_NaN());
  }
  std::vector<T, DeviceAllocator<T>> numbers_;
};

// What a kernel left in a buffer, in double, whatever its type of number: one kernel's outputs may be of two types.
class KernelOutput {
 public:
  template <class T>
  KernelOutput(const Buffer<T>& buffer)
      : numbers_(buffer.data(), buffer.data() + buffer.count()),
        is_bf16_(std::is_same_v<T, Bf16>),
        guards_intact_(buffer.guards_intact()) {}

  const double* data() const { return numbers_.data(); }
  std::int64_t count() const { return static_cast<std::int64_t>(numbers_.size()); }
  double operator[](std::int64_t i) const { return numbers_[static_cast<std::size_t>(i)]; }

  bool is_bf16() const { return is_bf16_; }
  bool guards_intact() const { return guards_intact_; }
  bool same_bits(const KernelOutput& other) const {  // double keeps the sign of a zero and the bits of a NaN
    return is_bf16_ == other.is_bf16_ && guards_intact_ == other.guards_intact_ && count() == other.count() &&
           std::memcmp(data(), other.data(), numbers_.size() * sizeof(double)) == 0;
  }

 private:
  std::vector<double> numbers_;
  bool is_bf16_, guards_intact_;
};
using Outputs = std::vector<KernelOutput>;

// Per output number: how far it may be from the reference in double, before it is rounded once if it is kept as Bf16.
using Tolerance = std::vector<double>;

// Half a unit in the last place of 1.0f: the relative error of one rounding.
constexpr double rounding = 0x1p-24;

// Error of a value made by `roundings` float operations whose terms have the absolute sum `magnitude`: roundings err to
// both sides and add up like a random walk, four deviations of which practically never happen. The sum over k terms of
// a wrong index is off by about magnitude / k, so the test sees it up to k of tens of thousands.
inline double float_error(double roundings, double magnitude) {
  return 4 * std::sqrt(roundings) * rounding * magnitude + std::numeric_limits<float>::min();
}

inline Tolerance float_errors(double roundings, const KernelOutput& magnitudes) {
  Tolerance tolerance;
  for (std::int64_t i = 0; i < magnitudes.count(); ++i)
    tolerance.push_back(float_error(roundings, std::abs(magnitudes[i])));
  return tolerance;
}

inline Tolerance exactly(std::int64_t count) { return Tolerance(static_cast<std::size_t>(count), 0.0); }

// Whether a number of a type can come from one within `allowed` of `want`. A NaN or an infinity agrees only with
// itself.
inline bool agrees(double got, double want, double allowed, bool is_bf16) {
  if (!std::isfinite(want)) return std::isnan(want) ? std::isnan(got) : got == want;
  if (!is_bf16) return std::abs(got - want) <= allowed;
  // Rounding keeps the order, so that these are the limits of what one rounding makes. A second one shows.
  const auto rounded = [](double number) { return Bf16(static_cast<float>(number)); };
  return rounded(want - allowed) <= got && got <= rounded(want + allowed);
}

// "" if every number agrees, else the first that does not.
inline std::string mismatch(const KernelOutput& got, const KernelOutput& want, const Tolerance& tolerance) {
  if (got.count() != want.count() || tolerance.size() != static_cast<std::size_t>(want.count()))
    return message("counts differ: got ", got.count(), ", want ", want.count(), ", tolerances ", tolerance.size());
  if (!got.guards_intact()) return "wrote outside its buffer";
  for (std::int64_t i = 0; i < want.count(); ++i) {
    const double allowed = tolerance[static_cast<std::size_t>(i)];
    if (!agrees(got[i], want[i], allowed, got.is_bf16())) {
      std::ostringstream out;
      out.precision(9);
      out << "index " << i << " of " << want.count() << ": got " << got[i] << ", want " << want[i] << ", off by "
          << std::abs(got[i] - want[i]) << ", tolerance " << allowed
          << (got.is_bf16() ? " and a rounding to bf16" : "");
      return out.str();
    }
  }
  return "";
}

inline std::vector<SimdLevel> supported_levels() {
  std::vector<SimdLevel> levels;
  for (const SimdLevel level : {SimdLevel::scalar, SimdLevel::avx2, SimdLevel::avx512})
    if (simd_supported(level)) levels.push_back(level);
  return levels;
}

// Calls body(table name, table) with the fast table at every SIMD level of this machine and at each number of threads.
template <class Body>
void for_each_cpu_table(const Body& body, const std::vector<int>& thread_counts = {1, 2, 3, 5}) {
  const SimdLevel level_before = simd_in_use();
  const int threads_before = omp_get_max_threads();
  for (const SimdLevel level : supported_levels())
    for (const int threads : thread_counts) {
      use_simd(level);
      omp_set_num_threads(threads);
      body(message("cpu ", simd_name(level), ", ", threads, " threads"), cpu_kernels());
    }
  use_simd(level_before);
  omp_set_num_threads(threads_before);
}

// `run` is a generic call, Kernels<T> -> Outputs. The reference in double tells what is right; the reference in float
// and the fast table at every level must agree within the tolerances (one for each buffer), and the fast table's bits
// must not depend on the number of threads. Where tests run on a card, one of its tables takes the place of both, and
// must give the same bits when it runs again.
template <class Run>
void check_tables(const std::string& what, const Run& run, const std::vector<Tolerance>& tolerances,
                  const std::vector<int>& thread_counts = {1, 2, 3, 5}) {
  INFO(what);
  const Outputs want = run(reference_kernels<double>());
  REQUIRE(want.size() == tolerances.size());

  const auto compare = [&](const std::string& table, const Outputs& got) {
    INFO(table);
    for (std::size_t i = 0; i < want.size(); ++i) {
      INFO("output ", i);
      CHECK(mismatch(got[i], want[i], tolerances[i]) == "");
    }
  };
  if (device_in_use() == Device::cuda) {
    const auto on_card = [&] { return bf16_is_checked() ? run(kernels<Bf16>()) : run(kernels<float>()); };
    for (const bool aligned : {false, true}) {  // the fastest kernels want aligned numbers
      buffers_are_aligned = aligned;
      const Outputs got = on_card(), again = on_card();
      compare(message("cuda", bf16_is_checked() ? " bf16" : "", aligned ? ", aligned" : ""), got);
      for (std::size_t i = 0; i < want.size(); ++i) {
        INFO("output ", i);
        CHECK(got[i].same_bits(again[i]));
      }
    }
    buffers_are_aligned = false;
    return;
  }
  compare("reference float", run(reference_kernels<float>()));

  Outputs single;
  SimdLevel level_of_single = SimdLevel::scalar;
  for_each_cpu_table(
      [&](const std::string& table, const Kernels<float>& kernels) {
        Outputs got = run(kernels);
        if (single.empty() || simd_in_use() != level_of_single) {
          compare(table, got);
          single = std::move(got);
          level_of_single = simd_in_use();
          return;
        }
        INFO(table);
        for (std::size_t i = 0; i < want.size(); ++i) {
          INFO("output ", i);
          CHECK(got[i].same_bits(single[i]));
        }
      },
      thread_counts);
}

}  // namespace acol::testing
