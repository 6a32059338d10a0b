#include "layers/conv2d.h"

#include <algorithm>
#include <cmath>

#include "layers/batch_norm.h"

namespace acol {

namespace {

// Checked before the weight is made, so that nonsense fails with the layer's name and not with the tensor's.
Shape weight_shape(int in, int out, Pair kernel, const Conv2dOptions& options) {
  const auto both_at_least = [](Pair pair, int least) { return pair[0] >= least && pair[1] >= least; };
  check(in >= 1 && out >= 1, "Conv2d: wants at least one channel in and out, got ", in, " -> ", out);
  check(both_at_least(kernel, 1) && both_at_least(options.stride, 1) && both_at_least(options.dilation, 1) &&
            both_at_least(options.pad, 0),
        "Conv2d: wants kernel, stride and dilation of at least 1 and padding of at least 0, got kernel ", kernel[0],
        "x", kernel[1], ", stride ", options.stride[0], "x", options.stride[1], ", dilation ", options.dilation[0], "x",
        options.dilation[1], ", padding ", options.pad[0], "x", options.pad[1]);
  return {out, kernel[0], kernel[1], in};
}

}  // namespace

Conv2d::Conv2d(int in, int out, Pair kernel, Conv2dOptions options, bool bias)
    : options_(options),
      weight_(add_parameter("weight", Tensor::empty(weight_shape(in, out, kernel, options)))),
      bias_(bias ? &add_parameter("bias", Tensor::zeros({out})) : &no_bias_) {}

Variable Conv2d::forward(const Variable& x) { return conv2d(x, weight_, *bias_, options_); }

Variable& Conv2d::bias_or_zeros() {
  if (bias_ == &no_bias_) bias_ = &add_parameter("bias", Tensor::zeros({weight_.shape()[0]}, weight_.dtype()));
  return *bias_;
}

void fold_batch_norm(Conv2d& conv, const BatchNorm& norm) {
  Tensor& w = conv.weight().value();  // (O, R, S, C)
  const int out = w.shape()[0];
  check(out == norm.running_mean().count(), "fold_batch_norm: the convolution has ", out,
        " output channels, the batch norm ", norm.running_mean().count());
  check(!conv.options().relu,
        "fold_batch_norm: the convolution has a fused ReLU before the batch norm, which is not linear");
  const Tensor mean = norm.running_mean().to_host(), variance = norm.running_var().to_host(),
               gamma = norm.weight().value().to_host(), beta = norm.bias().value().to_host();
  const auto scale = [&](int o) { return gamma.at(o) / std::sqrt(variance.at(o) + norm.epsilon()); };
  w.change_on_host([&](Tensor& host) {
    const std::int64_t filter = host.count() / out;
    with_scalar(host.dtype(), [&]<class T>() {
      for (int o = 0; o < out; ++o) {
        T* const first = host.data<T>() + o * filter;
        std::transform(first, first + filter, first, [s = scale(o)](T value) { return static_cast<T>(value * s); });
      }
    });
  });
  conv.bias_or_zeros().value().change_on_host([&](Tensor& host) {
    for (int o = 0; o < out; ++o) host.set(o, (host.at(o) - mean.at(o)) * scale(o) + beta.at(o));
  });
}

}  // namespace acol
