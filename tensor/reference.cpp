// The reference tables. Entries stand in the order of struct Kernels.
#include "tensor/reference.h"

#include "tensor/kernels.h"

namespace acol {

namespace {

template <class T>
constexpr Kernels<T> table{
    reference::conv2d_forward<T>,
    reference::conv2d_backward_data<T>,
    reference::conv2d_backward_weights<T>,
    reference::relu_forward<T>,
    reference::relu_backward<T>,
    reference::max_pool_forward<T>,
    reference::max_pool_backward<T>,
    reference::avg_pool_forward<T>,
    reference::avg_pool_backward<T>,
    reference::global_avg_pool_forward<T>,
    reference::global_avg_pool_backward<T>,
    reference::batch_norm_statistics<T>,
    reference::batch_norm_forward<T>,
    reference::batch_norm_backward<T>,
    reference::move_average<T>,
    reference::add_forward<T>,
    reference::multiply_forward<T>,
    reference::multiply_backward<T>,
    reference::maximum_forward<T>,
    reference::maximum_backward<T>,
    reference::accumulate<T>,
    reference::to_parameters<T>,
    reference::add_parameters<T>,
    reference::dropout_forward<T>,
    reference::dropout_backward<T>,
    reference::softmax_cross_entropy_forward<T>,
    reference::softmax_cross_entropy_backward<T>,
    reference::resize_forward<T>,
    reference::resize_backward<T>,
    reference::class_map<T>,
    reference::normalized_map<T>,
    reference::erase_forward<T>,
    reference::erase_backward<T>,
    reference::sums_of_squares<T>,
    reference::sgd_step<T>,
};

}  // namespace

template <>
const Kernels<float>& reference_kernels<float>() {
  return table<float>;
}

template <>
const Kernels<double>& reference_kernels<double>() {
  return table<double>;
}

}  // namespace acol
