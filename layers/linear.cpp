#include "layers/linear.h"

namespace acol {

namespace {

Shape weight_shape(int in, int out) {
  check(in >= 1 && out >= 1, "Linear: wants at least one channel in and out, got ", in, " -> ", out);
  return {out, in};
}

}  // namespace

Linear::Linear(int in, int out, bool bias)
    : weight_(add_parameter("weight", Tensor::zeros(weight_shape(in, out)))),
      bias_(bias ? &add_parameter("bias", Tensor::zeros({out})) : &no_bias_) {}

Variable Linear::forward(const Variable& x) { return linear(x, weight_, *bias_); }

}  // namespace acol
