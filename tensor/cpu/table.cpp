// The fast float table. Entries stand in the order of struct Kernels.
#include "tensor/cpu/kernels.h"

namespace acol {

const Kernels<float>& cpu_kernels() {
  static constexpr Kernels<float> table{
      cpu::conv2d_forward,
      cpu::conv2d_backward_data,
      cpu::conv2d_backward_weights,
      cpu::relu_forward,
      cpu::relu_backward,
      cpu::max_pool_forward,
      cpu::max_pool_backward,
      cpu::avg_pool_forward,
      cpu::avg_pool_backward,
      cpu::global_avg_pool_forward,
      cpu::global_avg_pool_backward,
      cpu::batch_norm_statistics,
      cpu::batch_norm_forward,
      cpu::batch_norm_backward,
      cpu::move_average,
      cpu::add_forward,
      cpu::multiply_forward,
      cpu::multiply_backward,
      cpu::maximum_forward,
      cpu::maximum_backward,
      cpu::accumulate,
      cpu::to_parameters,
      cpu::add_parameters,
      cpu::dropout_forward,
      cpu::dropout_backward,
      cpu::softmax_cross_entropy_forward,
      cpu::softmax_cross_entropy_backward,
      cpu::resize_forward,
      cpu::resize_backward,
      cpu::class_map,
      cpu::normalized_map,
      cpu::erase_forward,
      cpu::erase_backward,
      cpu::sums_of_squares,
      cpu::sgd_step,
  };
  return table;
}

}  // namespace acol
