// Pooling layers; no parameters. Formulas in tensor/kernels.h, sizes in tensor/geometry.h.
#pragma once

#include "autograd/ops.h"
#include "layers/module.h"

namespace acol {

// (N, H, W, C) -> (N, P, Q, C). With options.relu, ReLU follows: a convolution in front then needs none.
class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(Pool2dOptions options = {}) : options_(options) {}
  Variable forward(const Variable& x) override { return max_pool2d(x, options_); }
  const Pool2dOptions& options() const { return options_; }

 private:
  Pool2dOptions options_;
};

// (N, H, W, C) -> (N, P, Q, C). count_padding: zeros of the padding count in the mean.
class AvgPool2d : public Module {
 public:
  explicit AvgPool2d(Pool2dOptions options = {}, bool count_padding = true)
      : options_(options), count_padding_(count_padding) {}
  Variable forward(const Variable& x) override { return avg_pool2d(x, options_, count_padding_); }
  const Pool2dOptions& options() const { return options_; }
  bool count_padding() const { return count_padding_; }

 private:
  Pool2dOptions options_;
  bool count_padding_;
};

// (N, H, W, C) -> (N, C).
class GlobalAvgPool : public Module {
 public:
  Variable forward(const Variable& x) override { return global_avg_pool(x); }
};

}  // namespace acol
