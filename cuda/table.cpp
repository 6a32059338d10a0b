// The table of the card. Entries stand in the order of struct Kernels.
#include "cuda/kernels.h"

namespace acol::cuda {

const Kernels<float>& kernels() {
  static constexpr Kernels<float> table{
      conv2d_forward,
      conv2d_backward_data,
      conv2d_backward_weights,
      relu_forward,
      relu_backward,
      max_pool_forward,
      max_pool_backward,
      avg_pool_forward,
      avg_pool_backward,
      global_avg_pool_forward,
      global_avg_pool_backward,
      batch_norm_statistics,
      batch_norm_forward,
      batch_norm_backward,
      move_average,
      add_forward,
      multiply_forward,
      multiply_backward,
      maximum_forward,
      maximum_backward,
      accumulate,
      dropout_forward,
      dropout_backward,
      softmax_cross_entropy_forward,
      softmax_cross_entropy_backward,
      resize_forward,
      resize_backward,
      class_map,
      normalized_map,
      erase_forward,
      erase_backward,
      sums_of_squares,
      sgd_step,
  };
  return table;
}

}  // namespace acol::cuda
