// The tables of the card. Entries stand in the order of struct Kernels.
#include "cuda/kernels.h"

namespace acol::cuda {

namespace {

template <class T>
constexpr Kernels<T> table{
    conv2d_forward<T>,
    conv2d_backward_data<T>,
    conv2d_backward_weights<T>,
    relu_forward<T>,
    relu_backward<T>,
    max_pool_forward<T>,
    max_pool_backward<T>,
    avg_pool_forward<T>,
    avg_pool_backward<T>,
    global_avg_pool_forward<T>,
    global_avg_pool_backward<T>,
    batch_norm_statistics<T>,
    batch_norm_forward<T>,
    batch_norm_backward<T>,
    move_average,
    add_forward<T>,
    multiply_forward<T>,
    multiply_backward<T>,
    maximum_forward<T>,
    maximum_backward<T>,
    accumulate<T>,
    to_parameters<T>,
    add_parameters<T>,
    dropout_forward<T>,
    dropout_backward<T>,
    softmax_cross_entropy_forward,
    softmax_cross_entropy_backward,
    resize_forward<T>,
    resize_backward<T>,
    class_map<T>,
    normalized_map,
    erase_forward<T>,
    erase_backward<T>,
    sums_of_squares,
    sgd_step,
};

}  // namespace

const Kernels<float>& kernels() { return table<float>; }
const Kernels<Bf16>& kernels_bf16() { return table<Bf16>; }

}  // namespace acol::cuda
