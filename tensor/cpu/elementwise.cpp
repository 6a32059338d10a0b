// Kernels that treat every element alike: activations, sums, products, dropout, the optimizer's step.
#include <array>
#include <vector>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/parallel.h"
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

double sum_of_squares(std::int64_t count, const float* x) {
  constexpr int lanes = 16;  // sums side by side, so that the additions need not wait for each other
  std::vector<double> partial(static_cast<std::size_t>((count + elementwise_grain - 1) / elementwise_grain), 0.0);
  parallel_chunks(count, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    std::array<double, lanes> sum{};
    std::int64_t i = begin;
    for (; i + lanes <= end; i += lanes)
      for (int j = 0; j < lanes; ++j) {
        const double value = x[i + j];
        sum[static_cast<std::size_t>(j)] += value * value;
      }
    for (; i < end; ++i) sum[0] += static_cast<double>(x[i]) * x[i];
    for (const double value : sum) partial[static_cast<std::size_t>(begin / elementwise_grain)] += value;
  });
  double total = 0;
  for (const double value : partial) total += value;
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
  for (int i = 0; i < arrays; ++i) sums[i] = sum_of_squares(counts[i], x[i]);
}

void sgd_step(std::int64_t count, float rate, float momentum, float decay, bool nesterov, float scale, const float* dw,
              float* v, float* w) {
  for_each_element(count, [=](std::int64_t i) {
    const float gradient = scale * dw[i] + decay * w[i];
    const float velocity = momentum * v[i] + gradient;
    v[i] = velocity;
    w[i] -= rate * (nesterov ? gradient + momentum * velocity : velocity);
  });
}

}  // namespace acol::cpu
