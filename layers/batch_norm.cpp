#include "layers/batch_norm.h"

namespace acol {

namespace {

Shape checked_shape(int channels, double epsilon, double momentum) {
  check(channels >= 1, "BatchNorm: wants at least one channel, got ", channels);
  check(epsilon > 0, "BatchNorm: epsilon must be above 0, got ", epsilon);
  check(momentum >= 0 && momentum <= 1, "BatchNorm: momentum must be in [0, 1], got ", momentum);
  return {channels};
}

}  // namespace

BatchNorm::BatchNorm(int channels, double epsilon, double momentum)
    : epsilon_(epsilon),
      momentum_(momentum),
      weight_(add_parameter("weight", Tensor::full(checked_shape(channels, epsilon, momentum), 1))),
      bias_(add_parameter("bias", Tensor::zeros({channels}))),
      running_mean_(add_buffer("running_mean", Tensor::zeros({channels}))),
      running_var_(add_buffer("running_var", Tensor::full({channels}, 1))) {}

Variable BatchNorm::forward(const Variable& x) {
  return batch_norm(x, weight_, bias_, running_mean_, running_var_, {training(), momentum_, epsilon_});
}

}  // namespace acol
