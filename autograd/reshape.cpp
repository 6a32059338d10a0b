// y = x in another shape; dx += dy in x's shape.
#include "autograd/ops.h"

namespace acol {

Variable reshape(const Variable& x, const Shape& shape) {
  check(x.shape().count() == shape.count(), "reshape: cannot see ", x.shape().str(), " as ", shape.str());
  return Variable::record("reshape", x.value().reshaped(shape), {x}, [](const Tensor& dy, InputGradients& dx) {
    with_activation(dy.dtype(),
                    [&]<class T>() { kernels<T>().accumulate(dy.count(), 1, dy.data<T>(), dx[0].data<T>()); });
  });
}

}  // namespace acol
