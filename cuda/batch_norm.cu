// Batch normalisation. Sums over the rows are taken in double (reduce.cuh); what is then done to every number needs a
// few numbers a channel, which a thread keeps while it goes down the rows.
#include <cmath>

#include "cuda/kernels.h"
#include "cuda/pack.cuh"
#include "cuda/reduce.cuh"

namespace acol::cuda {

namespace {

// Statistics, in one pass: the sums of d and d^2, where d is the distance to the channel's first number. That costs no
// digits where the mean is far from 0. A first number that is itself far from all others is no harm: of N numbers, none
// is further from their mean than sqrt(N) standard deviations, so mean(d^2) is at most about N times the variance, and
// of 53 bits their difference loses log2 N.
template <class T>
struct Around {
  const T* first_row;

  // An infinity would make NaN of all distances.
  __device__ double operator()(int c) const {
    const float number = first_row[c];
    return std::isfinite(number) ? double{number} : 0.0;
  }
};

template <class T>
struct AddDistances {
  Around<T> around;

  __device__ void operator()(int c, const float (&x)[1], double (&sum)[2]) const {
    const double distance = x[0] - around(c);
    sum[0] += distance;
    sum[1] += distance * distance;
  }
};

template <class T>
struct StoreStatistics {
  double rows;
  Around<T> around;
  float *mean, *variance;

  __device__ void operator()(int, int c, const double (&sum)[2]) const {
    const double distance = sum[0] / rows, square = sum[1] / rows - distance * distance;
    mean[c] = static_cast<float>(around(c) + distance);
    variance[c] = square < 0 ? 0.0f : static_cast<float>(square);  // a NaN stays
  }
};

__device__ double inverse_deviation(float variance, double epsilon) {
  return 1 / std::sqrt(double{variance} + epsilon);
}

// Gradients: the sums of dy and of dy (x - mean).
struct AddGradients {
  const float* mean;

  __device__ void operator()(int c, const float (&x_dy)[2], double (&sum)[2]) const {
    sum[0] += x_dy[1];
    sum[1] += double{x_dy[1]} * (double{x_dy[0]} - mean[c]);
  }
};

// ... into dgamma and dbeta, if not null, and into what dx needs of them.
struct StoreGradients {
  double rows, epsilon;
  const float* variance;
  float *dgamma, *dbeta, *mean_dy, *slope;

  __device__ void operator()(int, int c, const double (&sum)[2]) const {
    const double inverse = inverse_deviation(variance[c], epsilon), sum_dy_xhat = sum[1] * inverse;
    if (dgamma != nullptr) dgamma[c] += static_cast<float>(sum_dy_xhat);
    if (dbeta != nullptr) dbeta[c] += static_cast<float>(sum[0]);
    mean_dy[c] = static_cast<float>(sum[0] / rows);
    slope[c] = static_cast<float>(sum_dy_xhat / rows * inverse);
  }
};

// scale = gamma / sqrt(variance + epsilon).
__global__ void scale_kernel(int channels, const float* variance, const float* gamma, float epsilon, float* scale) {
  for_each_index(channels, [&](std::int64_t c) {
    scale[c] = static_cast<float>(gamma[c] * inverse_deviation(variance[c], epsilon));
  });
}

// For (rows, channels), where a thread takes a pack of neighbouring channels down the rows: `lanes` threads stand along
// the channels, the others of the block below them.
struct Columns {
  int lanes;
  Grid grid;

  Columns(std::int64_t rows, int packs) : lanes(lanes_for(packs, threads_a_block)) {
    constexpr int rows_a_thread = 8;  // few enough to keep the card busy
    const std::int64_t block_rows = rows_a_thread * (threads_a_block / lanes);
    const std::int64_t blocks = std::min<std::int64_t>((rows + block_rows - 1) / block_rows, 65535);
    grid = {dim3(static_cast<unsigned>((packs + lanes - 1) / lanes), static_cast<unsigned>(blocks)),
            dim3(threads_a_block)};
  }
};

template <int width>
__device__ int first_channel(int lanes) {
  return (static_cast<int>(blockIdx.x) * lanes + static_cast<int>(threadIdx.x) % lanes) * width;
}

// body(row) for all rows that are this thread's.
template <class Body>
__device__ void for_each_row(std::int64_t rows, int lanes, const Body& body) {
  const int lines = threads_a_block / lanes;
  for (std::int64_t row = static_cast<std::int64_t>(blockIdx.y) * lines + static_cast<int>(threadIdx.x) / lanes;
       row < rows; row += static_cast<std::int64_t>(gridDim.y) * lines)
    body(row);
}

template <int width, class T>
__global__ void batch_norm_forward_kernel(std::int64_t rows, int channels, int lanes, bool aligned, const T* x,
                                          const float* mean, const float* scale, const float* beta, T* y) {
  const int c = first_channel<width>(lanes);
  if (c >= channels) return;
  const auto mean_c = load<width>(mean + c, false), scale_c = load<width>(scale + c, false),
             beta_c = load<width>(beta + c, false);
  for_each_row(rows, lanes, [&](std::int64_t row) {
    auto pack = load<width>(x + row * channels + c, aligned);
    for (int i = 0; i < width; ++i) pack.at[i] = (pack.at[i] - mean_c.at[i]) * scale_c.at[i] + beta_c.at[i];
    store<width>(pack, y + row * channels + c, aligned);
  });
}

// dx += scale dy.
template <int width, class T>
__global__ void add_scaled_gradient_kernel(std::int64_t rows, int channels, int lanes, bool aligned, const float* scale,
                                           const T* dy, T* dx) {
  const int c = first_channel<width>(lanes);
  if (c >= channels) return;
  const auto scale_c = load<width>(scale + c, false);
  for_each_row(rows, lanes, [&](std::int64_t row) {
    const auto gradient = load<width>(dy + row * channels + c, aligned);
    auto sum = load<width>(dx + row * channels + c, aligned);
    for (int i = 0; i < width; ++i) sum.at[i] += scale_c.at[i] * gradient.at[i];
    store<width>(sum, dx + row * channels + c, aligned);
  });
}

// dx += scale (dy - mean_dy - (x - mean) slope).
template <int width, class T>
__global__ void add_centred_gradient_kernel(std::int64_t rows, int channels, int lanes, bool aligned, const T* x,
                                            const float* mean, const float* scale, const float* mean_dy,
                                            const float* slope, const T* dy, T* dx) {
  const int c = first_channel<width>(lanes);
  if (c >= channels) return;
  const auto mean_c = load<width>(mean + c, false), scale_c = load<width>(scale + c, false),
             mean_dy_c = load<width>(mean_dy + c, false), slope_c = load<width>(slope + c, false);
  for_each_row(rows, lanes, [&](std::int64_t row) {
    const auto number = load<width>(x + row * channels + c, aligned),
               gradient = load<width>(dy + row * channels + c, aligned);
    auto sum = load<width>(dx + row * channels + c, aligned);
    for (int i = 0; i < width; ++i)
      sum.at[i] += scale_c.at[i] * (gradient.at[i] - mean_dy_c.at[i] - (number.at[i] - mean_c.at[i]) * slope_c.at[i]);
    store<width>(sum, dx + row * channels + c, aligned);
  });
}

__global__ void move_average_kernel(std::int64_t count, double momentum, double factor, const float* x,
                                    float* average) {
  for_each_index(count, [&](std::int64_t i) {
    average[i] = static_cast<float>((1 - momentum) * average[i] + momentum * factor * x[i]);
  });
}

std::size_t floats(int count) { return sizeof(float) * static_cast<std::size_t>(count); }

}  // namespace

template <class T>
void batch_norm_statistics(std::int64_t rows, int channels, const T* x, float* mean, float* variance) {
  sum_rows<2>("batch_norm_statistics", 1, rows, channels, Matrices<1, T>{x}, AddDistances<T>{{x}},
              StoreStatistics<T>{static_cast<double>(rows), {x}, mean, variance});
}

template <class T>
void batch_norm_forward(std::int64_t rows, int channels, const T* x, const float* mean, const float* variance,
                        const float* gamma, const float* beta, float epsilon, T* y) {
  const Scratch scratch(floats(channels));
  float* const scale = scratch.as<float>();
  launch("batch_norm_forward", scale_kernel, grid_for(channels), channels, variance, gamma, epsilon, scale);
  with_width(channels, [&](auto width) {
    const Columns columns(rows, channels / width());
    launch("batch_norm_forward", batch_norm_forward_kernel<width(), T>, columns.grid, rows, channels, columns.lanes,
           aligned(width(), x, y), x, mean, scale, beta, y);
  });
}

template <class T>
void batch_norm_backward(std::int64_t rows, int channels, const T* x, const float* mean, const float* variance,
                         const float* gamma, float epsilon, bool through_statistics, const T* dy, T* dx, float* dgamma,
                         float* dbeta) {
  const char* const name = "batch_norm_backward";
  const Scratch scratch(3 * floats(channels));
  float *const scale = scratch.as<float>(), *const mean_dy = scale + channels, *const slope = mean_dy + channels;
  const bool centred = dx != nullptr && through_statistics;
  if (dgamma != nullptr || dbeta != nullptr || centred)
    sum_rows<2>(name, 1, rows, channels, Matrices<2, T>{x, dy}, AddGradients{mean},
                StoreGradients{static_cast<double>(rows), epsilon, variance, dgamma, dbeta, mean_dy, slope});
  if (dx == nullptr) return;

  launch(name, scale_kernel, grid_for(channels), channels, variance, gamma, epsilon, scale);
  with_width(channels, [&](auto width) {
    const Columns columns(rows, channels / width());
    const bool by_packs = aligned(width(), x, dy, dx);
    if (centred)
      launch(name, add_centred_gradient_kernel<width(), T>, columns.grid, rows, channels, columns.lanes, by_packs, x,
             mean, scale, mean_dy, slope, dy, dx);
    else
      launch(name, add_scaled_gradient_kernel<width(), T>, columns.grid, rows, channels, columns.lanes, by_packs, scale,
             dy, dx);
  });
}

void move_average(std::int64_t count, double momentum, double factor, const float* x, float* average) {
  launch("move_average", move_average_kernel, grid_for(count), count, momentum, factor, x, average);
}

template void batch_norm_statistics(std::int64_t, int, const float*, float*, float*);
template void batch_norm_forward(std::int64_t, int, const float*, const float*, const float*, const float*,
                                 const float*, float, float*);
template void batch_norm_backward(std::int64_t, int, const float*, const float*, const float*, const float*, float,
                                  bool, const float*, float*, float*, float*);

template void batch_norm_statistics(std::int64_t, int, const Bf16*, float*, float*);
template void batch_norm_forward(std::int64_t, int, const Bf16*, const float*, const float*, const float*, const float*,
                                 float, Bf16*);
template void batch_norm_backward(std::int64_t, int, const Bf16*, const float*, const float*, const float*, float, bool,
                                  const Bf16*, Bf16*, float*, float*);

}  // namespace acol::cuda
