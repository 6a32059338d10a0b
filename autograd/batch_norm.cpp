// Batch normalisation (Ioffe and Szegedy 2015, algorithm 1), per channel c over all m rows of x: (..., C).
//   mean = 1/m sum x     variance = 1/m sum (x - mean)^2     xhat = (x - mean) / sqrt(variance + epsilon)
//   y = gamma xhat + beta                                                              gamma, beta: (C)
// Gradients:
//   dgamma = sum dy xhat: (C)     dbeta = sum dy: (C)
//   dx = gamma / sqrt(variance + epsilon) (dy - dbeta / m - xhat dgamma / m)           shape of x
// In training, running = (1 - momentum) running + momentum of the batch's, for both.
// The last two terms are there because the mean and the variance move with x. Outside training both are the running
// ones, constants, and dx = gamma / sqrt(variance + epsilon) dy.
#include "autograd/checks.h"
#include "autograd/ops.h"

namespace acol {

Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, Tensor& running_mean,
                    Tensor& running_variance, const BatchNormOptions& options) {
  check_defined("batch_norm", "x", x);
  check_defined("batch_norm", "gamma", gamma);
  check_defined("batch_norm", "beta", beta);
  check(x.shape().rank() >= 2 && x.value().count() > 0, "batch_norm: x must be (..., C) and not empty, got ",
        x.shape().str());
  const std::int64_t rows = x.shape().rows();
  const int channels = x.shape().back();
  check_vector("batch_norm", "gamma", gamma.value(), channels, x.value());
  check_vector("batch_norm", "beta", beta.value(), channels, x.value());
  check_vector("batch_norm", "running_mean", running_mean, channels, x.value());
  check_vector("batch_norm", "running_variance", running_variance, channels, x.value());
  check(options.epsilon > 0, "batch_norm: epsilon must be above 0, got ", options.epsilon);
  check(options.momentum >= 0 && options.momentum <= 1, "batch_norm: momentum must be in [0, 1], got ",
        options.momentum);
  check(!options.training || rows > 1, "batch_norm: in training needs more than one number per channel, got x ",
        x.shape().str(), "; give a larger batch or image");

  const Tensor x_value = x.value(), gamma_value = gamma.value();
  // Copies, not the running tensors themselves: a later training step may move those before backward runs.
  Tensor mean = options.training ? Tensor::empty({channels}, gamma.dtype()) : running_mean.clone();
  Tensor variance = options.training ? Tensor::empty({channels}, gamma.dtype()) : running_variance.clone();
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  with_activation(x.dtype(), [&]<class T>() {
    using P = ParameterOf<T>;
    const Kernels<T>& k = kernels<T>();
    if (options.training) {
      k.batch_norm_statistics(rows, channels, x_value.data<T>(), mean.data<P>(), variance.data<P>());
      // The running variance is the unbiased one: m / (m - 1) the batch's.
      const double unbiased = static_cast<double>(rows) / static_cast<double>(rows - 1);
      k.move_average(channels, options.momentum, 1, mean.data<P>(), running_mean.data<P>());
      k.move_average(channels, options.momentum, unbiased, variance.data<P>(), running_variance.data<P>());
    }
    k.batch_norm_forward(rows, channels, x_value.data<T>(), mean.data<P>(), variance.data<P>(), gamma_value.data<P>(),
                         beta.value().data<P>(), static_cast<P>(options.epsilon), y.data<T>());
  });
  const auto backward = [=](const Tensor& dy, InputGradients& dx) {
    with_activation(dy.dtype(), [&]<class T>() {
      using P = ParameterOf<T>;
      kernels<T>().batch_norm_backward(rows, channels, x_value.data<T>(), mean.data<P>(), variance.data<P>(),
                                       gamma_value.data<P>(), static_cast<P>(options.epsilon), options.training,
                                       dy.data<T>(), dx.data<T>(0), dx.data<P>(1), dx.data<P>(2));
    });
  };
  return Variable::record("batch_norm", y, {x, gamma, beta}, backward);
}

}  // namespace acol
