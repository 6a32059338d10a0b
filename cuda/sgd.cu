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

double sum_of_squares(std::int64_t count, const float* x) {
  const Scratch scratch(sizeof(double));
  // The numbers are the rows of one column.
  sum_rows<1>("sum_of_squares", 1, count, 1, Matrices<1>{x}, AddSquare{}, StoreSum{scratch.as<double>()});
  double sum = 0;
  copy_to_host(&sum, scratch.as<double>(), sizeof(double));
  return sum;
}

void sgd_step(std::int64_t count, float rate, float momentum, float decay, bool nesterov, float scale, const float* dw,
              float* v, float* w) {
  launch("sgd_step", sgd_step_kernel, grid_for((count + 3) / 4), count, aligned(4, dw, v, w),
         SgdStep{rate, momentum, decay, scale, nesterov}, dw, v, w);
}

}  // namespace acol::cuda
