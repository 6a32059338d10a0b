// Fully connected layer.
#pragma once

#include "autograd/ops.h"
#include "layers/module.h"

namespace acol {

// x: (N, in) -> (N, out): y = x w^T + bias. Parameters: "weight" (out, in) and, if asked for, "bias" (out); zeros until
// initialised (layers/init.h).
class Linear : public Module {
 public:
  Linear(int in, int out, bool bias = true);  // in, out >= 1

  Variable forward(const Variable& x) override;

  Variable& weight() { return weight_; }
  Variable& bias() { return *bias_; }  // undefined if there is none

 private:
  Variable& weight_;
  Variable no_bias_;
  Variable* bias_;
};

}  // namespace acol
