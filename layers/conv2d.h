// Convolution with its filters and bias.
#pragma once

#include "autograd/ops.h"
#include "layers/module.h"

namespace acol {

class BatchNorm;

// x: (N, H, W, in) -> (N, P, Q, out), see conv2d() in autograd/ops.h. Parameters: "weight" (out, R, S, in),
// undetermined until initialised (layers/init.h) or read from a file, since filters are most of a network's numbers;
// and, if asked for, "bias" (out), zeros.
class Conv2d : public Module {
 public:
  // in, out, kernel, stride, dilation >= 1, pad >= 0.
  Conv2d(int in, int out, Pair kernel, Conv2dOptions options = {}, bool bias = true);

  Variable forward(const Variable& x) override;

  Variable& weight() { return weight_; }
  Variable& bias() { return *bias_; }  // undefined if there is none
  const Conv2dOptions& options() const { return options_; }
  void set_relu(bool relu) { options_.relu = relu; }
  void set_make_again(bool make_again) { options_.make_again = make_again; }
  // The bias, made of zeros if there was none.
  Variable& bias_or_zeros();

 private:
  Conv2dOptions options_;
  Variable& weight_;
  Variable no_bias_;
  Variable* bias_;
};

// Makes `conv` compute what norm(conv(x)) computes with the running statistics:
//   w'[o, ...] = w[o, ...] s[o],  b'[o] = (b[o] - mean[o]) s[o] + beta[o],  s = gamma / sqrt(variance + epsilon).
// A bias is made if there was none. Computed in double. Error: channels differ, or conv has a fused ReLU in between.
void fold_batch_norm(Conv2d& conv, const BatchNorm& norm);

}  // namespace acol
