// Batch normalisation and column sums. Rows are cut into blocks that depend on the shape only; each block is summed in
// double, and the blocks are put together in order.
#include <cmath>
#include <functional>
#include <vector>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/parallel.h"

namespace acol::cpu {

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// With few channels a row is too short for vectors. Since rows are dense, several of them make one wide row, whose
// position j belongs to channel j % channels.
int wide_row(int channels) { return channels * std::max(1, 64 / channels); }

// One number a channel -> one a position of the wide row.
Floats widened(int channels, const std::function<double(int)>& value) {
  Floats wide(index(wide_row(channels)));
  for (std::size_t j = 0; j < wide.size(); ++j)
    wide[j] = static_cast<float>(value(static_cast<int>(j % index(channels))));
  return wide;
}

// body(first, count) for each wide row of the rows [begin, end): elements [first, first + count), the last one cut.
template <class Body>
void for_wide_rows(std::int64_t begin, std::int64_t end, int channels, const Body& body) {
  const int width = wide_row(channels);
  for (std::int64_t first = begin * channels; first < end * channels; first += width)
    body(first, static_cast<int>(std::min<std::int64_t>(width, end * channels - first)));
}

// sums[c] = the sum over its places in the wide row.
void fold(const Doubles& wide, int channels, double* sums) {
  std::fill(sums, sums + channels, 0.0);
  for (std::size_t j = 0; j < wide.size(); ++j) sums[j % index(channels)] += wide[j];
}

// sums[c] = sum over the rows [begin, end) of term(i, j), i the element, j its place in the wide row.
template <class Term>
void sum_rows(std::int64_t begin, std::int64_t end, int channels, double* sums, const Term& term) {
  Doubles wide(index(wide_row(channels)), 0.0);
  double* const out = wide.data();
  for_wide_rows(begin, end, channels, [&](std::int64_t first, int count) {
#pragma omp simd
    for (int j = 0; j < count; ++j) out[j] += term(first + j, j);
  });
  fold(wide, channels, sums);
}

// The same of x where relu_y is above 0. In two steps, since a vector can not choose between floats and widen them.
void sum_rows_where_positive(std::int64_t begin, std::int64_t end, int channels, const float* x, const float* relu_y,
                             double* sums) {
  Doubles wide(index(wide_row(channels)), 0.0);
  Floats chosen(wide.size());
  double* const out = wide.data();
  float* const kept = chosen.data();
  for_wide_rows(begin, end, channels, [=](std::int64_t first, int count) {
#pragma omp simd
    for (int j = 0; j < count; ++j) {
      const float value = x[first + j];  // read in either case
      kept[j] = relu_y[first + j] > 0 ? value : 0.0f;
    }
#pragma omp simd
    for (int j = 0; j < count; ++j) out[j] += kept[j];
  });
  fold(wide, channels, sums);
}

std::int64_t block_count(std::int64_t rows, int channels) {
  return (rows + row_grain(channels) - 1) / row_grain(channels);
}

// Calls body(block, begin, end) for each block of rows.
template <class Body>
void for_blocks(std::int64_t rows, int channels, const Body& body) {
  const std::int64_t grain = row_grain(channels);
  parallel_chunks(block_count(rows, channels), 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t block = first; block < last; ++block)
      body(block, block * grain, std::min(rows, (block + 1) * grain));
  });
}

// The sum over all rows, a number a channel. sum_block(begin, end, sums): over some of them.
template <class SumBlock>
Doubles sum_blocks(std::int64_t rows, int channels, const SumBlock& sum_block) {
  Doubles partial(index(block_count(rows, channels) * channels));
  for_blocks(rows, channels, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
    sum_block(begin, end, partial.data() + block * channels);
  });
  Doubles sums(index(channels), 0.0);
  for (std::size_t i = 0; i < partial.size(); ++i) sums[i % index(channels)] += partial[i];
  return sums;
}

template <class Term>
Doubles sum_all(std::int64_t rows, int channels, const Term& term) {
  return sum_blocks(rows, channels, [&](std::int64_t begin, std::int64_t end, double* sums) {
    sum_rows(begin, end, channels, sums, term);
  });
}

}  // namespace

void column_sums(std::int64_t rows, int channels, const float* x, const float* relu_y, double* sums) {
  const Doubles found = relu_y == nullptr
                            ? sum_all(rows, channels, [=](std::int64_t i, int) { return static_cast<double>(x[i]); })
                            : sum_blocks(rows, channels, [=](std::int64_t begin, std::int64_t end, double* block_sums) {
                                sum_rows_where_positive(begin, end, channels, x, relu_y, block_sums);
                              });
  for (int c = 0; c < channels; ++c) sums[c] += found[index(c)];
}

void batch_norm_statistics(std::int64_t rows, int channels, const float* x, float* mean, float* variance) {
  // Each block makes its own mean and its squares around that mean, in two passes over numbers that are in the cache: a
  // mean far from 0 costs no digits.
  const std::int64_t blocks = block_count(rows, channels);
  Doubles means(index(blocks * channels)), squares(index(blocks * channels));
  for_blocks(rows, channels, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
    double* const block_mean = means.data() + block * channels;
    sum_rows(begin, end, channels, block_mean, [=](std::int64_t i, int) { return static_cast<double>(x[i]); });
    for (int c = 0; c < channels; ++c) block_mean[c] /= static_cast<double>(end - begin);
    const int width = wide_row(channels);
    Doubles centre(index(width));
    for (int j = 0; j < width; ++j) centre[index(j)] = block_mean[j % channels];
    const double* const around = centre.data();
    sum_rows(begin, end, channels, squares.data() + block * channels, [=](std::int64_t i, int j) {
      const double difference = x[i] - around[j];
      return difference * difference;
    });
  });
  // Put together in order (Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm ...", 1979).
  Doubles centre(index(channels), 0.0), sum(index(channels), 0.0);
  double count = 0;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const auto added =
        static_cast<double>(std::min(rows, (block + 1) * row_grain(channels)) - block * row_grain(channels));
    count += added;
    const double *const block_mean = means.data() + block * channels, *const block_square =
                                                                          squares.data() + block * channels;
    double *const centres = centre.data(), *const sums = sum.data();
#pragma omp simd
    for (int c = 0; c < channels; ++c) {
      const double difference = block_mean[c] - centres[c];
      centres[c] += difference * added / count;
      sums[c] += block_square[c] + difference * difference * added * (count - added) / count;
    }
  }
  for (int c = 0; c < channels; ++c) {
    mean[c] = static_cast<float>(centre[index(c)]);
    variance[c] = static_cast<float>(sum[index(c)] / count);
  }
}

void batch_norm_forward(std::int64_t rows, int channels, const float* x, const float* mean, const float* variance,
                        const float* gamma, const float* beta, float epsilon, float* y) {
  const Floats means = widened(channels, [=](int c) { return mean[c]; });
  const Floats scales = widened(channels, [=](int c) { return gamma[c] / std::sqrt(double{variance[c]} + epsilon); });
  const Floats shifts = widened(channels, [=](int c) { return beta[c]; });
  for_blocks(rows, channels, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    const float *const m = means.data(), *const scale = scales.data(), *const shift = shifts.data();
    for_wide_rows(begin, end, channels, [=](std::int64_t first, int count) {
#pragma omp simd
      for (int j = 0; j < count; ++j) y[first + j] = (x[first + j] - m[j]) * scale[j] + shift[j];
    });
  });
}

void batch_norm_backward(std::int64_t rows, int channels, const float* x, const float* mean, const float* variance,
                         const float* gamma, float epsilon, bool through_statistics, const float* dy, float* dx,
                         float* dgamma, float* dbeta) {
  const auto inverse = [=](int c) { return 1 / std::sqrt(double{variance[c]} + epsilon); };
  const Floats means = widened(channels, [=](int c) { return mean[c]; });
  const float* const m = means.data();

  Doubles sum_dy(index(channels), 0.0), sum_dy_xhat(index(channels), 0.0);
  if (dbeta != nullptr || (dx != nullptr && through_statistics))
    sum_dy = sum_all(rows, channels, [=](std::int64_t i, int) { return static_cast<double>(dy[i]); });
  if (dgamma != nullptr || (dx != nullptr && through_statistics)) {
    sum_dy_xhat = sum_all(rows, channels, [=](std::int64_t i, int j) { return double{dy[i]} * (x[i] - m[j]); });
    for (int c = 0; c < channels; ++c) sum_dy_xhat[index(c)] *= inverse(c);
  }
  for (int c = 0; c < channels; ++c) {
    if (dgamma != nullptr) dgamma[c] += static_cast<float>(sum_dy_xhat[index(c)]);
    if (dbeta != nullptr) dbeta[c] += static_cast<float>(sum_dy[index(c)]);
  }
  if (dx == nullptr) return;

  // dx += scale (dy - mean_dy - (x - mean) slope); without gradients through the statistics the last two are 0.
  const double share = through_statistics ? 1.0 / static_cast<double>(rows) : 0.0;
  const Floats scales = widened(channels, [=](int c) { return gamma[c] * inverse(c); });
  const Floats means_dy = widened(channels, [&](int c) { return share * sum_dy[index(c)]; });
  const Floats slopes = widened(channels, [&](int c) { return share * sum_dy_xhat[index(c)] * inverse(c); });
  for_blocks(rows, channels, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    const float *const scale = scales.data(), *const mean_dy = means_dy.data(), *const slope = slopes.data();
    for_wide_rows(begin, end, channels, [=](std::int64_t first, int count) {
#pragma omp simd
      for (int j = 0; j < count; ++j)
        dx[first + j] += scale[j] * (dy[first + j] - mean_dy[j] - (x[first + j] - m[j]) * slope[j]);
    });
  });
}

void move_average(std::int64_t count, double momentum, double factor, const float* x, float* average) {
  for (std::int64_t i = 0; i < count; ++i)
    average[i] = static_cast<float>((1 - momentum) * double{average[i]} + momentum * factor * double{x[i]});
}

}  // namespace acol::cpu
