// The optimizer's kernels: the norm of a gradient, and one step of stochastic gradient descent.
#include "cuda/kernels.h"
#include "cuda/pack.cuh"
#include "cuda/reduce.cuh"

namespace acol::cuda {

namespace {

struct SgdStep {
  float rate, momentum, decay, scale;
  bool nesterov;

  __device__ void operator()(float dw, float& v, float& w) const {
    const float gradient = scale * dw + decay * w;
    v = momentum * v + gradient;
    w -= rate * (nesterov ? gradient + momentum * v : v);
  }
};

__global__ void sgd_step_kernel(std::int64_t count, bool aligned, SgdStep step, const float* dw, float* v, float* w) {
  for_each_index((count + 3) / 4, [&](std::int64_t four) {
    const std::int64_t first = 4 * four;
    if (first + 4 <= count) {
      const Pack<float, 4> gradient = load<4>(dw + first, aligned);
      Pack<float, 4> velocity = load<4>(v + first, aligned), weight = load<4>(w + first, aligned);
      for (int i = 0; i < 4; ++i) step(gradient.at[i], velocity.at[i], weight.at[i]);
      store<4>(velocity, v + first, aligned);
      store<4>(weight, w + first, aligned);
      return;
    }
    for (std::int64_t i = first; i < count; ++i) step(dw[i], v[i], w[i]);
  });
}

struct AddSquare {
  __device__ void operator()(int, const float (&x)[1], double (&sum)[1]) const { sum[0] += double{x[0]} * x[0]; }
};

struct StoreSum {
  double* to;

  __device__ void operator()(int, int, const double (&sum)[1]) const { *to = sum[0]; }
};

}  // namespace

void sums_of_squares(int arrays, const std::int64_t* counts, const float* const* x, double* sums) {
  if (arrays == 0) return;
  const std::size_t bytes = sizeof(double) * static_cast<std::size_t>(arrays);
  const Scratch scratch(bytes);
  // The numbers are the rows of one column.
  for (int i = 0; i < arrays; ++i)
    sum_rows<1>("sums_of_squares", 1, counts[i], 1, Matrices<1>{x[i]}, AddSquare{}, StoreSum{scratch.as<double>() + i});
  copy_to_host(sums, scratch.as<double>(), bytes);
}

void sgd_step(std::int64_t count, float rate, float momentum, float decay, bool nesterov, float scale, const float* dw,
              float* v, float* w) {
  launch("sgd_step", sgd_step_kernel, grid_for((count + 3) / 4), count, aligned(4, dw, v, w),
         SgdStep{rate, momentum, decay, scale, nesterov}, dw, v, w);
}

}  // namespace acol::cuda
