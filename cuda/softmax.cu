// Softmax with cross-entropy. Forward gives each row a block, which passes over it three times: the largest logit, the
// powers and their sum, the division. A NaN need not be minded on the way to the maximum: it makes the sum NaN, and so
// the row's loss and all its probabilities.
#include <cmath>

#include "cuda/kernels.h"
#include "cuda/pack.cuh"
#include "cuda/reduce.cuh"

namespace acol::cuda {

namespace {

__global__ void softmax_forward_kernel(int classes, const float* logits, const int* labels, float* probability,
                                       float* loss) {
  OnePerThread<float>& largest_of = shared<OnePerThread<float>>();
  OnePerThread<double>& sum_of = shared<OnePerThread<double>>();
  const std::int64_t row = blockIdx.x;
  const float* const z = logits + row * classes;
  float* const p = probability + row * classes;
  const int first = static_cast<int>(threadIdx.x);

  float largest = -INFINITY;
  for (int k = first; k < classes; k += threads_a_block) largest = z[k] > largest ? z[k] : largest;
  largest = combine_block(largest_of, largest, [](float a, float b) { return b > a ? b : a; });

  double sum = 0;
  for (int k = first; k < classes; k += threads_a_block) {
    p[k] = std::exp(z[k] - largest);
    sum += p[k];
  }
  sum = combine_block(sum_of, sum, [](double a, double b) { return a + b; });

  const auto scale = static_cast<float>(1 / sum);
  for (int k = first; k < classes; k += threads_a_block) p[k] *= scale;  // the same ones as above
  if (first == 0) loss[row] = static_cast<float>(std::log(sum) - (double{z[labels[row]]} - largest));
}

template <int width>
__global__ void softmax_backward_kernel(int rows, int classes, bool aligned, const float* probability,
                                        const int* labels, const float* dloss, float* dlogits) {
  for_each_in_rows(1, rows, classes / width, [&](int, int row, int i) {
    const int first = i * width;
    const std::int64_t at = static_cast<std::int64_t>(row) * classes + first;
    const auto p = load<width>(probability + at, aligned);
    auto sum = load<width>(dlogits + at, aligned);
    for (int k = 0; k < width; ++k) sum.at[k] += dloss[row] * (p.at[k] - (first + k == labels[row] ? 1.0f : 0.0f));
    store<width>(sum, dlogits + at, aligned);
  });
}

}  // namespace

void softmax_cross_entropy_forward(int rows, int classes, const float* logits, const int* labels, float* probability,
                                   float* loss) {
  if (rows == 0) return;
  const OnDevice<int> labels_there(labels, rows);
  const std::size_t loss_bytes = static_cast<std::size_t>(rows) * sizeof(float);
  const Scratch loss_there(loss_bytes);
  launch("softmax_cross_entropy_forward", softmax_forward_kernel,
         Grid{dim3(static_cast<unsigned>(rows)), dim3(threads_a_block)}, classes, logits, labels_there.data(),
         probability, loss_there.as<float>());
  copy_to_host(loss, loss_there.as<float>(), loss_bytes);
}

void softmax_cross_entropy_backward(int rows, int classes, const float* probability, const int* labels,
                                    const float* dloss, float* dlogits) {
  if (rows == 0) return;
  const OnDevice<int> labels_there(labels, rows);
  const OnDevice<float> dloss_there(dloss, rows);
  with_width(classes, [&](auto width) {
    launch("softmax_cross_entropy_backward", softmax_backward_kernel<width()>, grid_for_rows(1, rows, classes / width),
           rows, classes, aligned(width, probability, dlogits), probability, labels_there.data(), dloss_there.data(),
           dlogits);
  });
}

}  // namespace acol::cuda
