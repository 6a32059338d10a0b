// Kernels that treat every element alike: activations, sums, products, dropout, the optimizer's step.
#include <algorithm>
#include <array>
#include <vector>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/parts.h"
#include "tensor/random.h"
#include "tensor/simd/kernels.h"

namespace acol::cpu {

namespace {

// body(i) for every element, in vectors: iterations must not depend on each other, and nothing may be read on a
// condition.
template <class Body>
void for_each_element(std::int64_t count, const Body& body) {
  parallel_chunks(count, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) body(i);
  });
}

void dropout(std::int64_t count, float rate, std::uint64_t seed, std::uint32_t step, std::uint32_t layer,
             const float* x, float* y, bool accumulate) {
  static_assert(elementwise_grain % 4 == 0);  // 4 elements share a counter of the generator
  const DropoutKernel kernel = simd_kernels().dropout;
  parallel_chunks(count, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    const DropoutDraws draws{
        seed, static_cast<std::uint32_t>(begin / 4), static_cast<std::uint32_t>(Purpose::dropout), step, layer, rate};
    kernel(draws, end - begin, x + begin, y + begin, accumulate);
  });
}

// `value` where `wanted`, else 0. A function's argument is read in either case, which a vector can do.
float value_or_0(bool wanted, float value) { return wanted ? value : 0.0f; }

// a wins a tie, and a NaN wins over a number. (Bit operations, so that loops stay free of branches.)
bool first_wins(float a, float b) { return (a >= b) | (a != a); }

// A list of arrays in pieces of at most elementwise_grain numbers, none of which reaches over two arrays.
class Pieces {
 public:
  // count_of(i): how many numbers array i has.
  template <class Count>
  Pieces(int arrays, const Count& count_of) : first_{0} {
    for (int i = 0; i < arrays; ++i) first_.push_back(first_.back() + parts(count_of(i), elementwise_grain));
  }

  // The number of array i's first piece. Of the array behind the last: of all pieces.
  std::int64_t first(int i) const { return first_[static_cast<std::size_t>(i)]; }

  // body(array, piece, begin): for each piece, where it begins in its array. All threads share all pieces, so that they
  // wait for each other once for the list.
  template <class Body>
  void for_each(const Body& body) const {
    parallel_chunks(first_.back(), 1, [&](std::int64_t piece, std::int64_t) {
      const auto next = std::upper_bound(first_.begin(), first_.end(), piece);
      const auto array = static_cast<int>(next - first_.begin()) - 1;
      body(array, piece, (piece - first(array)) * elementwise_grain);
    });
  }

 private:
  std::vector<std::int64_t> first_;
};

double sum_of_squares(std::int64_t count, const float* x) {
  constexpr int lanes = 16;  // sums side by side, so that the additions need not wait for each other
  std::array<double, lanes> sum{};
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (int j = 0; j < lanes; ++j) {
      const double value = x[i + j];
      sum[static_cast<std::size_t>(j)] += value * value;
    }
  for (; i < count; ++i) sum[0] += static_cast<double>(x[i]) * x[i];
  double total = 0;
  for (const double value : sum) total += value;
  return total;
}

}  // namespace

void relu_forward(std::int64_t count, const float* x, float* y) {
  for_each_element(count, [=](std::int64_t i) { y[i] = x[i] < 0 ? 0 : x[i]; });  // a NaN stays
}

void relu_backward(std::int64_t count, const float* y, const float* dy, float* dx) {
  for_each_element(count, [=](std::int64_t i) { dx[i] += value_or_0(y[i] > 0, dy[i]); });
}

void add_forward(std::int64_t count, const float* a, const float* b, float* y) {
  for_each_element(count, [=](std::int64_t i) { y[i] = a[i] + b[i]; });
}

void multiply_forward(std::int64_t count, const float* a, const float* b, float* y) {
  for_each_element(count, [=](std::int64_t i) { y[i] = a[i] * b[i]; });
}

void multiply_backward(std::int64_t count, const float* a, const float* b, const float* dy, float* da, float* db) {
  // One after the other, since da and db may be the same array (the square of a value).
  if (da != nullptr) for_each_element(count, [=](std::int64_t i) { da[i] += dy[i] * b[i]; });
  if (db != nullptr) for_each_element(count, [=](std::int64_t i) { db[i] += dy[i] * a[i]; });
}

void maximum_forward(std::int64_t count, const float* a, const float* b, float* y) {
  for_each_element(count, [=](std::int64_t i) { y[i] = first_wins(a[i], b[i]) ? a[i] : b[i]; });
}

void maximum_backward(std::int64_t count, const float* a, const float* b, const float* dy, float* da, float* db) {
  if (da != nullptr)
    for_each_element(count, [=](std::int64_t i) { da[i] += value_or_0(first_wins(a[i], b[i]), dy[i]); });
  if (db != nullptr)
    for_each_element(count, [=](std::int64_t i) { db[i] += value_or_0(!first_wins(a[i], b[i]), dy[i]); });
}

void accumulate(std::int64_t count, float factor, const float* x, float* y) {
  for_each_element(count, [=](std::int64_t i) { y[i] += factor * x[i]; });
}

void to_parameters(std::int64_t count, const float* x, float* y) {
  for_each_element(count, [=](std::int64_t i) { y[i] = x[i]; });
}

void add_parameters(std::int64_t count, const float* x, float* y) {
  for_each_element(count, [=](std::int64_t i) { y[i] += x[i]; });
}

void dropout_forward(std::int64_t count, float rate, std::uint64_t seed, std::uint32_t step, std::uint32_t layer,
                     const float* x, float* y) {
  dropout(count, rate, seed, step, layer, x, y, false);
}

void dropout_backward(std::int64_t count, float rate, std::uint64_t seed, std::uint32_t step, std::uint32_t layer,
                      const float* dy, float* dx) {
  dropout(count, rate, seed, step, layer, dy, dx, true);
}

void sums_of_squares(int arrays, const std::int64_t* counts, const float* const* x, double* sums) {
  const Pieces pieces(arrays, [=](int i) { return counts[i]; });
  std::vector<double> partial(static_cast<std::size_t>(pieces.first(arrays)));
  pieces.for_each([&](int i, std::int64_t piece, std::int64_t begin) {
    partial[static_cast<std::size_t>(piece)] =
        sum_of_squares(std::min(elementwise_grain, counts[i] - begin), x[i] + begin);
  });
  for (int i = 0; i < arrays; ++i) {
    sums[i] = 0;
    for (std::int64_t piece = pieces.first(i); piece < pieces.first(i + 1); ++piece)
      sums[i] += partial[static_cast<std::size_t>(piece)];
  }
}

void sgd_step(int arrays, const SgdArray<float>* list, float momentum, bool nesterov, float scale) {
  const Pieces pieces(arrays, [=](int i) { return list[i].count; });
  pieces.for_each([=](int i, std::int64_t, std::int64_t begin) {
    const SgdArray<float> a = list[i];
    const std::int64_t end = std::min(begin + elementwise_grain, a.count);
#pragma omp simd
    for (std::int64_t j = begin; j < end; ++j) {
      const float gradient = scale * a.dw[j] + a.decay * a.w[j];
      const float velocity = momentum * a.v[j] + gradient;
      a.v[j] = velocity;
      a.w[j] -= a.rate * (nesterov ? gradient + momentum * velocity : velocity);
    }
  });
}

}  // namespace acol::cpu
