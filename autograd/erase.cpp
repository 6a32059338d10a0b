// The erase of ACoL (Zhang et al. 2018, section 3.2): branch B sees the features without what branch A found.
//   m[n,h,v]    = maps[n,h,v,label[n]], maps a 1x1 convolution: sum_c hidden[n,h,v,c] w[label[n],c] + bias[label[n]]
//   heat[n,h,v] = (m[n,h,v] - min) / (max - min), min and max over the image                               (N, H, W)
//   y[n,h,v,c]  = heat[n,h,v] >= threshold ? 0 : x[n,h,v,c]                                                (N, H, W, C)
// Gradient:
//   dx[n,h,v,c] = heat[n,h,v] >= threshold ? 0 : dy[n,h,v,c]                                               (N, H, W, C)
// The mask is a step function of the heat: its derivative is 0 wherever it has one. So branch B's loss does not reach
// branch A through the mask, and the heat is a plain Tensor, which cannot carry a gradient. A constant map is 0
// everywhere: nothing to point at, nothing erased (unless threshold is 0, which erases everything by definition).
#include "autograd/checks.h"
#include "autograd/ops.h"

namespace acol {

Tensor class_map(const Tensor& x, const Tensor& w, const Tensor& bias, const std::vector<int>& labels) {
  check_layout("class_map", "x", x, 4, "(N, H, W, C)");
  check_layout("class_map", "w", w, 4, "(K, 1, 1, C)");
  check_dtype("class_map", "w", w, x);
  const Shape& s = x.shape();
  const int classes = w.shape()[0];
  check(w.shape() == Shape{classes, 1, 1, s[3]}, "class_map: w ", w.shape().str(), " must be ",
        Shape{classes, 1, 1, s[3]}.str(), " for x ", s.str());
  if (bias.defined()) check_vector("class_map", "bias", bias, classes, x);
  check_labels("class_map", labels, s[0], classes);
  Tensor map = Tensor::empty({s[0], s[1], s[2]}, w.dtype());
  with_activation(x.dtype(), [&]<class T>() {
    using P = ParameterOf<T>;
    kernels<T>().class_map(s[0], s[1] * s[2], s[3], x.data<T>(), w.data<P>(), bias.defined() ? bias.data<P>() : nullptr,
                           labels.data(), map.data<P>());
  });
  return map;
}

Tensor normalized_map(const Tensor& map) {
  check_layout("normalized_map", "map", map, 3, "(N, H, W)");
  const Shape& s = map.shape();
  return normalized_map(map.reshaped({s[0], s[1], s[2], 1}), std::vector<int>(static_cast<std::size_t>(s[0]), 0));
}

Tensor normalized_map(const Tensor& maps, const std::vector<int>& labels) {
  check_layout("normalized_map", "maps", maps, 4, "(N, H, W, K)");
  const Shape& s = maps.shape();
  check_labels("normalized_map", labels, s[0], s[3]);
  Tensor heat = Tensor::empty({s[0], s[1], s[2]}, maps.dtype());
  with_scalar(maps.dtype(), [&]<class T>() {
    kernels<T>().normalized_map(s[0], s[1] * s[2], s[3], maps.data<T>(), labels.data(), heat.data<T>());
  });
  return heat;
}

Variable erase(const Variable& x, const Tensor& heat, double threshold) {
  check_layout("erase", "x", x, 4, "(N, H, W, C)");
  check_layout("erase", "heat", heat, 3, "(N, H, W)");
  check_dtype("erase", "heat", heat, x.value());
  const int batch = x.shape()[0], height = x.shape()[1], width = x.shape()[2], channels = x.shape()[3];
  check(heat.shape() == Shape{batch, height, width}, "erase: heat ", heat.shape().str(), " must be ",
        Shape{batch, height, width}.str(), " for x ", x.shape().str());
  check(threshold >= 0 && threshold <= 1, "erase: threshold must be in [0, 1], got ", threshold);
  const int pixels = height * width;
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  with_activation(x.dtype(), [&]<class T>() {
    kernels<T>().erase_forward(batch, pixels, channels, x.value().data<T>(), heat.data<ParameterOf<T>>(),
                               static_cast<ParameterOf<T>>(threshold), y.data<T>());
  });
  return Variable::record("erase", y, {x}, [=](const Tensor& dy, InputGradients& dx) {
    with_activation(dy.dtype(), [&]<class T>() {
      kernels<T>().erase_backward(batch, pixels, channels, heat.data<ParameterOf<T>>(),
                                  static_cast<ParameterOf<T>>(threshold), dy.data<T>(), dx.data<T>(0));
    });
  });
}

}  // namespace acol
