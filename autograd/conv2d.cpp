// Convolution (cross-correlation, as every deep learning library means it). P, Q: size of the output.
//   x: (N, H, W, C)   w: (O, R, S, C)   bias: (O)   y: (N, P, Q, O)
//   y[n,p,q,o] = bias[o] + sum_{r,s,c} x[n, h, v, c] w[o,r,s,c],
//                h = p stride - pad + r dilation, v = q stride - pad + s dilation; x outside the image is 0
// Gradients, from dy: (N, P, Q, O):
//   dx[n,h,v,c] = sum over the (p, q, r, s) that read (h, v), and over o, of dy[n,p,q,o] w[o,r,s,c]    (N, H, W, C)
//   dw[o,r,s,c] = sum_{n,p,q} dy[n,p,q,o] x[n,h,v,c]                                                  (O, R, S, C)
//   db[o]       = sum_{n,p,q} dy[n,p,q,o]                                                             (O)
// With ReLU fused, y = max(conv, 0), dy counts as 0 where y is 0: only y is kept for that, not the sum before it.
#include "autograd/checks.h"
#include "autograd/ops.h"

namespace acol {

namespace {

// Forward and recording, for conv2d and linear: `g` describes x, w and bias, whose shapes were checked.
Variable apply(const char* operation, const Variable& x, const Variable& w, const Variable& bias,
               const Conv2dGeometry& g, bool relu, bool make_again, const Shape& y_shape) {
  const Tensor w_value = w.value(), bias_value = bias.defined() ? bias.value() : Tensor();
  const auto forward = [=](const Tensor& x_value) {
    Tensor y = Tensor::empty(y_shape, x_value.dtype());
    with_activation(x_value.dtype(), [&]<class T>() {
      using P = ParameterOf<T>;
      kernels<T>().conv2d_forward(g, x_value.data<T>(), w_value.data<P>(),
                                  bias_value.defined() ? bias_value.data<P>() : nullptr, relu, y.data<T>());
    });
    return y;
  };

  const Tensor y = forward(x.value());
  const Saved x_saved = x.saved();
  const Saved y_saved = make_again ? Saved([=] { return forward(x_saved.value()); }) : Saved(y);
  const Saved mask = relu ? y_saved : Saved();
  const Saved x_kept = w.requires_grad() || bias.requires_grad() ? x_saved : Saved();  // frozen filters need no x
  Variable result = Variable::record(
      operation, y, {x, w, bias}, [g, relu, w_value, mask, x_kept](const Tensor& dy, InputGradients& dx) {
        with_activation(dy.dtype(), [&]<class T>() {
          using P = ParameterOf<T>;
          const Kernels<T>& k = kernels<T>();
          const T* relu_y = relu && !dx.dy_is_masked() ? mask.value().data<T>() : nullptr;
          if (dx.wanted(1) || dx.wanted(2)) {
            // The kernel gives dw with db. Frozen filters with a free bias are rare: their dw is thrown away.
            Tensor unwanted = dx.wanted(1) ? Tensor() : Tensor::zeros(w_value.shape(), w_value.dtype());
            P* dw = dx.wanted(1) ? dx.data<P>(1) : unwanted.data<P>();
            k.conv2d_backward_weights(g, dy.data<T>(), relu_y, x_kept.value().data<T>(), dw, dx.data<P>(2));
          }
          if (!dx.wanted(0)) return;
          const Tensor relu_x = dx.is_behind_relu(0) ? x_kept.value() : Tensor();
          if (k.conv2d_backward_data(g, dy.data<T>(), relu_y, w_value.data<P>(),
                                     relu_x.defined() ? relu_x.data<T>() : nullptr, dx.data<T>(0)))
            dx.masked(0);
        });
      });
  if (relu) result.mark_relu();
  if (make_again) result.save_as(y_saved);
  return result;
}

}  // namespace

Variable conv2d(const Variable& x, const Variable& w, const Variable& bias, const Conv2dOptions& options) {
  check_layout("conv2d", "x", x, 4, "(N, H, W, C)");
  check_layout("conv2d", "w", w, 4, "(O, R, S, C)");
  check_dtype("conv2d", "w", w.value(), x.value());
  check(w.shape()[3] == x.shape()[3], "conv2d: x ", x.shape().str(), " has ", x.shape()[3], " channels, filters w ",
        w.shape().str(), " want ", w.shape()[3]);
  if (bias.defined()) check_vector("conv2d", "bias", bias.value(), w.shape()[0], x.value());
  for (std::size_t axis = 0; axis < 2; ++axis) {
    check(options.stride[axis] >= 1, "conv2d: stride must be at least 1, got ", options.stride[axis]);
    check(options.pad[axis] >= 0, "conv2d: pad must be at least 0, got ", options.pad[axis]);
    check(options.dilation[axis] >= 1, "conv2d: dilation must be at least 1, got ", options.dilation[axis]);
  }
  Conv2dGeometry g;
  g.batch = x.shape()[0];
  g.in_h = x.shape()[1];
  g.in_w = x.shape()[2];
  g.in_c = x.shape()[3];
  g.out_c = w.shape()[0];
  g.filter_h = w.shape()[1];
  g.filter_w = w.shape()[2];
  g.stride_h = options.stride[0];
  g.stride_w = options.stride[1];
  g.pad_h = options.pad[0];
  g.pad_w = options.pad[1];
  g.dilation_h = options.dilation[0];
  g.dilation_w = options.dilation[1];
  check(g.out_h() >= 1 && g.out_w() >= 1, "conv2d: filters w ", w.shape().str(), " with dilation ", g.dilation_h, "x",
        g.dilation_w, " do not fit into x ", x.shape().str(), " with padding ", g.pad_h, "x", g.pad_w,
        "; give a larger image or more padding");
  return apply("conv2d", x, w, bias, g, options.relu, options.make_again, g.y_shape());
}

// Fully connected layer: y[n,o] = bias[o] + sum_c x[n,c] w[o,c], the above with an image of one pixel and a 1x1 filter.
//   dx = dy w: (N, C)   dw = dy^T x: (O, C)   db = sum_n dy: (O)
Variable linear(const Variable& x, const Variable& w, const Variable& bias) {
  check_layout("linear", "x", x, 2, "(N, C)");
  check_layout("linear", "w", w, 2, "(O, C)");
  check_dtype("linear", "w", w.value(), x.value());
  check(w.shape()[1] == x.shape()[1], "linear: x ", x.shape().str(), " has ", x.shape()[1], " features, weights w ",
        w.shape().str(), " want ", w.shape()[1]);
  if (bias.defined()) check_vector("linear", "bias", bias.value(), w.shape()[0], x.value());
  Conv2dGeometry g;
  g.batch = x.shape()[0];
  g.in_c = x.shape()[1];
  g.out_c = w.shape()[0];
  return apply("linear", x, w, bias, g, false, false, {x.shape()[0], w.shape()[0]});
}

}  // namespace acol
