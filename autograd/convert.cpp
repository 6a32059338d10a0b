// Between activations and parameters, where their numbers are of two types (tensor/bf16.h): y = x, rounded on the way
// to activations; dx = dy. Where there is one type only, x itself.
#include "autograd/checks.h"
#include "autograd/ops.h"

namespace acol {

Variable to_activations(const Variable& x) {
  check_defined("to_activations", "x", x);
  if (x.dtype() != DType::float32 || activation_type() == DType::float32) return x;
  Tensor y = Tensor::zeros(x.shape(), activation_type());
  kernels<Bf16>().add_parameters(y.count(), x.value().data<float>(), y.data<Bf16>());
  return Variable::record("to_activations", y, {x}, [](const Tensor& dy, InputGradients& dx) {
    Tensor wide = Tensor::empty(dy.shape());
    kernels<Bf16>().to_parameters(dy.count(), dy.data<Bf16>(), wide.data<float>());
    kernels<float>().accumulate(dy.count(), 1, wide.data<float>(), dx.data<float>(0));
  });
}

Variable to_parameters(const Variable& x) {
  check_defined("to_parameters", "x", x);
  if (x.dtype() != DType::bfloat16) return x;
  Tensor y = Tensor::empty(x.shape());
  kernels<Bf16>().to_parameters(y.count(), x.value().data<Bf16>(), y.data<float>());
  return Variable::record("to_parameters", y, {x}, [](const Tensor& dy, InputGradients& dx) {
    kernels<Bf16>().add_parameters(dy.count(), dy.data<float>(), dx.data<Bf16>(0));
  });
}

}  // namespace acol
