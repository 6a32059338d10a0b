// Pooling. x: (N, H, W, C) -> y: (N, P, Q, C); padding never wins a maximum.
//   max:     y[n,p,q,c] = max over the window of x. Its gradient goes to the one pixel that won, whose tap is kept in a
//   byte:
//            dx[n,h,v,c] = sum of dy[n,p,q,c] over the windows that (h, v) won
//   max, then ReLU: a maximum of maxima does not mind their order, so max(max over the window of x, 0) is the pool of
//            max(x, 0), with a quarter of the work and without keeping max(x, 0). Backward first sets dy to 0 where y
//            is 0. This is the same gradient too: a window with a positive number is won by the same pixel either way,
//            and one without has y = 0, where ReLU stops the gradient of whichever pixel won. A NaN wins and stops it.
//   average: y[n,p,q,c] = sum over the window of x / k. dx[n,h,v,c] = sum of dy[n,p,q,c] / k over the windows with (h,
//   v)
//            k: the taps inside the padded image (padding counts as zeros), or the taps inside the image
//   global average: y[n,c] = mean over h, v of x[n,h,v,c]; y: (N, C), of the type of parameters (tensor/bf16.h).
//            dx[n,h,v,c] = dy[n,c] / (H W)
#include "autograd/checks.h"
#include "autograd/ops.h"
#include "tensor/memory.h"

namespace acol {

namespace {

Pool2dGeometry checked_geometry(const char* operation, const Variable& x, const Pool2dOptions& options) {
  check_layout(operation, "x", x, 4, "(N, H, W, C)");
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const int window = options.window[axis], pad = options.pad[axis];
    check(window >= 1, operation, ": window must be at least 1, got ", window);
    check(options.stride[axis] >= 1, operation, ": stride must be at least 1, got ", options.stride[axis]);
    check(pad >= 0 && pad <= window / 2, operation, ": pad must be at least 0 and at most half the window ", window,
          ", got ", pad);
  }
  Pool2dGeometry g;
  g.batch = x.shape()[0];
  g.in_h = x.shape()[1];
  g.in_w = x.shape()[2];
  g.channels = x.shape()[3];
  g.window_h = options.window[0];
  g.window_w = options.window[1];
  g.stride_h = options.stride[0];
  g.stride_w = options.stride[1];
  g.pad_h = options.pad[0];
  g.pad_w = options.pad[1];
  check(std::int64_t{g.window_h} * g.window_w <= 256, operation, ": the window ", g.window_h, "x", g.window_w,
        " has more than 256 taps");
  check(g.out_h() >= 1 && g.out_w() >= 1, operation, ": the window ", g.window_h, "x", g.window_w,
        " does not fit into x ", x.shape().str(), " with padding ", g.pad_h, "x", g.pad_w, "; give a larger image");
  return g;
}

}  // namespace

Variable max_pool2d(const Variable& x, const Pool2dOptions& options) {
  const Pool2dGeometry g = checked_geometry("max_pool2d", x, options);
  Tensor y = Tensor::empty(g.y_shape(), x.dtype());
  const auto winner = shared_buffer(static_cast<std::size_t>(y.count()), y.device());  // one byte a number of y
  const auto taps = [winner] { return reinterpret_cast<std::uint8_t*>(winner.get()); };
  with_activation(x.dtype(), [&]<class T>() {
    kernels<T>().max_pool_forward(g, x.value().data<T>(), y.data<T>(), taps());
    if (options.relu) kernels<T>().relu_forward(y.count(), y.data<T>(), y.data<T>());
  });
  const Tensor mask = options.relu ? y : Tensor();
  Variable result = Variable::record("max_pool2d", y, {x}, [g, taps, mask](const Tensor& dy, InputGradients& dx) {
    with_activation(dy.dtype(), [&]<class T>() {
      Tensor dmax = dy;  // gradient of the maxima, before ReLU
      if (mask.defined() && !dx.dy_is_masked()) {
        dmax = Tensor::zeros(dy.shape(), dy.dtype());
        kernels<T>().relu_backward(dy.count(), mask.data<T>(), dy.data<T>(), dmax.data<T>());
      }
      kernels<T>().max_pool_backward(g, dmax.data<T>(), taps(), dx.data<T>(0));
    });
  });
  if (options.relu) result.mark_relu();
  return result;
}

Variable avg_pool2d(const Variable& x, const Pool2dOptions& options, bool count_padding) {
  const Pool2dGeometry g = checked_geometry("avg_pool2d", x, options);
  check(!options.relu, "avg_pool2d: has no ReLU; apply relu() to its result");
  Tensor y = Tensor::empty(g.y_shape(), x.dtype());
  with_activation(
      x.dtype(), [&]<class T>() { kernels<T>().avg_pool_forward(g, count_padding, x.value().data<T>(), y.data<T>()); });
  return Variable::record("avg_pool2d", y, {x}, [g, count_padding](const Tensor& dy, InputGradients& dx) {
    with_activation(dy.dtype(),
                    [&]<class T>() { kernels<T>().avg_pool_backward(g, count_padding, dy.data<T>(), dx.data<T>(0)); });
  });
}

Variable global_avg_pool(const Variable& x) {
  check_layout("global_avg_pool", "x", x, 4, "(N, H, W, C)");
  const int batch = x.shape()[0], pixels = x.shape()[1] * x.shape()[2], channels = x.shape()[3];
  const DType type = x.dtype();
  Tensor y = Tensor::empty({batch, channels}, parameter_type(type));
  with_activation(type, [&]<class T>() {
    kernels<T>().global_avg_pool_forward(batch, pixels, channels, x.value().data<T>(), y.data<ParameterOf<T>>());
  });
  return Variable::record("global_avg_pool", y, {x}, [=](const Tensor& dy, InputGradients& dx) {
    with_activation(type, [&]<class T>() {
      kernels<T>().global_avg_pool_backward(batch, pixels, channels, dy.data<ParameterOf<T>>(), dx.data<T>(0));
    });
  });
}

}  // namespace acol
