// Dropout (Srivastava et al. 2014, scaled in training so that nothing needs to be done at test). Any shape.
//   y[i] = keep[i] x[i] / (1 - rate), keep[i] = 1 with probability 1 - rate, else 0
//   dx[i] = keep[i] dy[i] / (1 - rate)
// The keeps are not stored: the draw is a function of (seed, step, layer, i), so backward draws them again.
#include "autograd/checks.h"
#include "autograd/ops.h"

namespace acol {

Variable dropout(const Variable& x, double rate, const DropoutDraw& draw) {
  check_defined("dropout", "x", x);
  check(rate >= 0 && rate < 1, "dropout: rate must be in [0, 1), got ", rate);
  if (rate == 0) return x;
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  with_activation(x.dtype(), [&]<class T>() {
    kernels<T>().dropout_forward(y.count(), static_cast<ParameterOf<T>>(rate), draw.seed, draw.step, draw.layer,
                                 x.value().data<T>(), y.data<T>());
  });
  return Variable::record("dropout", y, {x}, [rate, draw](const Tensor& dy, InputGradients& dx) {
    with_activation(dy.dtype(), [&]<class T>() {
      kernels<T>().dropout_backward(dy.count(), static_cast<ParameterOf<T>>(rate), draw.seed, draw.step, draw.layer,
                                    dy.data<T>(), dx.data<T>(0));
    });
  });
}

}  // namespace acol
