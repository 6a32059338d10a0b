// Operations number by number; all shapes are equal, and so are those of the gradients.
//   relu:     y = max(x, 0)    dx = dy where y > 0, else 0. y is kept instead of x: the next layer keeps it anyway.
//   add:      y = a + b        da = dy              db = dy
//   multiply: y = a b          da = dy b            db = dy a
//   maximum:  y = max(a, b)    da = dy where a >= b db = dy where b > a
#include "autograd/checks.h"
#include "autograd/ops.h"

namespace acol {

namespace {

void check_equal(const char* operation, const Variable& a, const Variable& b) {
  check_defined(operation, "a", a);
  check_defined(operation, "b", b);
  check(a.shape() == b.shape(), operation, ": shapes must be equal, got a ", a.shape().str(), " and b ",
        b.shape().str());
  check(a.dtype() == b.dtype(), operation, ": a and b must have one element type");
}

}  // namespace

Variable relu(const Variable& x) {
  check_defined("relu", "x", x);
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  with_activation(x.dtype(),
                  [&]<class T>() { kernels<T>().relu_forward(y.count(), x.value().data<T>(), y.data<T>()); });
  Variable result = Variable::record("relu", y, {x}, [y](const Tensor& dy, InputGradients& dx) {
    with_activation(dy.dtype(), [&]<class T>() {
      if (dx.dy_is_masked())
        kernels<T>().accumulate(dy.count(), 1, dy.data<T>(), dx.data<T>(0));
      else
        kernels<T>().relu_backward(dy.count(), y.data<T>(), dy.data<T>(), dx.data<T>(0));
    });
  });
  result.mark_relu();
  return result;
}

Variable add(const Variable& a, const Variable& b) {
  check_equal("add", a, b);
  Tensor y = Tensor::empty(a.shape(), a.dtype());
  with_activation(a.dtype(), [&]<class T>() {
    kernels<T>().add_forward(y.count(), a.value().data<T>(), b.value().data<T>(), y.data<T>());
  });
  return Variable::record("add", y, {a, b}, [](const Tensor& dy, InputGradients& dx) {
    with_activation(dy.dtype(), [&]<class T>() {
      for (const int input : {0, 1})
        if (dx.wanted(input)) kernels<T>().accumulate(dy.count(), 1, dy.data<T>(), dx.data<T>(input));
    });
  });
}

// Backward of multiply and maximum asks for one gradient at a time: in multiply(x, x) both are the same tensor, and
// kernels may not be given one pointer twice.
Variable multiply(const Variable& a, const Variable& b) {
  check_equal("multiply", a, b);
  const Tensor a_value = a.value(), b_value = b.value();
  Tensor y = Tensor::empty(a.shape(), a.dtype());
  with_activation(a.dtype(), [&]<class T>() {
    kernels<T>().multiply_forward(y.count(), a_value.data<T>(), b_value.data<T>(), y.data<T>());
  });
  return Variable::record("multiply", y, {a, b}, [a_value, b_value](const Tensor& dy, InputGradients& dx) {
    with_activation(dy.dtype(), [&]<class T>() {
      const T *pa = a_value.data<T>(), *pb = b_value.data<T>(), *pdy = dy.data<T>();
      if (T* da = dx.data<T>(0)) kernels<T>().multiply_backward(dy.count(), pa, pb, pdy, da, nullptr);
      if (T* db = dx.data<T>(1)) kernels<T>().multiply_backward(dy.count(), pa, pb, pdy, nullptr, db);
    });
  });
}

Variable maximum(const Variable& a, const Variable& b) {
  check_equal("maximum", a, b);
  const Tensor a_value = a.value(), b_value = b.value();
  Tensor y = Tensor::empty(a.shape(), a.dtype());
  with_activation(a.dtype(), [&]<class T>() {
    kernels<T>().maximum_forward(y.count(), a_value.data<T>(), b_value.data<T>(), y.data<T>());
  });
  return Variable::record("maximum", y, {a, b}, [a_value, b_value](const Tensor& dy, InputGradients& dx) {
    with_activation(dy.dtype(), [&]<class T>() {
      const T *pa = a_value.data<T>(), *pb = b_value.data<T>(), *pdy = dy.data<T>();
      if (T* da = dx.data<T>(0)) kernels<T>().maximum_backward(dy.count(), pa, pb, pdy, da, nullptr);
      if (T* db = dx.data<T>(1)) kernels<T>().maximum_backward(dy.count(), pa, pb, pdy, nullptr, db);
    });
  });
}

}  // namespace acol
