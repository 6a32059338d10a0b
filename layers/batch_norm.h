// Batch normalisation: S. Ioffe, C. Szegedy, "Batch Normalization", ICML 2015.
#pragma once

#include "autograd/ops.h"
#include "layers/module.h"

namespace acol {

// x: any rank, channels last. In training normalises with the batch's statistics and moves the running ones by
// `momentum`; in evaluation uses the running ones. Parameters: "weight" (gamma, ones) and "bias" (beta, zeros);
// buffers: "running_mean" (zeros) and "running_var" (ones); all (channels).
class BatchNorm : public Module {
 public:
  // channels >= 1, epsilon > 0, momentum in [0, 1].
  explicit BatchNorm(int channels, double epsilon = 1e-5, double momentum = 0.1);

  Variable forward(const Variable& x) override;

  Variable& weight() { return weight_; }
  Variable& bias() { return bias_; }
  Tensor& running_mean() { return running_mean_; }
  Tensor& running_var() { return running_var_; }
  const Variable& weight() const { return weight_; }
  const Variable& bias() const { return bias_; }
  const Tensor& running_mean() const { return running_mean_; }
  const Tensor& running_var() const { return running_var_; }
  double epsilon() const { return epsilon_; }
  double momentum() const { return momentum_; }

 private:
  double epsilon_, momentum_;
  Variable &weight_, &bias_;
  Tensor &running_mean_, &running_var_;
};

}  // namespace acol
