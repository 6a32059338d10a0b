#include <algorithm>
#include <cmath>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/parallel.h"

namespace acol::cpu {

void softmax_cross_entropy_forward(int rows, int classes, const float* logits, const int* labels, float* probability,
                                   float* loss) {
  parallel_chunks(rows, row_grain(16 * classes), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* const in = logits + row * classes;
      float* const out = probability + row * classes;
      const float largest = *std::max_element(in, in + classes);
      double sum = 0;
      for (int c = 0; c < classes; ++c) {
        out[c] = std::exp(in[c] - largest);
        sum += out[c];
      }
      const auto scale = static_cast<float>(1 / sum);
      for (int c = 0; c < classes; ++c) out[c] *= scale;
      loss[row] = static_cast<float>(std::log(sum) - (static_cast<double>(in[labels[row]]) - largest));
    }
  });
}

void softmax_cross_entropy_backward(int rows, int classes, const float* probability, const int* labels,
                                    const float* dloss, float* dlogits) {
  parallel_chunks(rows, row_grain(classes), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* const p = probability + row * classes;
      float* const out = dlogits + row * classes;
      const float factor = dloss[row];
      const int label = labels[row];
#pragma omp simd
      for (int c = 0; c < classes; ++c) out[c] += factor * (p[c] - (c == label ? 1.0f : 0.0f));
    }
  });
}

}  // namespace acol::cpu
