// Layers that act on each number alone; no parameters. Shapes stay.
#pragma once

#include <cstdint>

#include "autograd/ops.h"
#include "layers/module.h"

namespace acol {

class Relu : public Module {
 public:
  Variable forward(const Variable& x) override { return relu(x); }
};

// In training zeroes each number with probability `rate` and scales the others by 1 / (1 - rate); the identity in
// evaluation. What is dropped is a function of (seed, step, layer, position), so that a resumed run drops the same.
class Dropout : public Module {
 public:
  // rate in [0, 1). `layer`: a number of its own for each Dropout of a network, or two would drop alike.
  Dropout(double rate, std::uint32_t layer);

  // Before every training step; forward() in training without it is an Error, unless the rate is 0.
  void set_draw(std::uint64_t seed, std::uint32_t step);

  Variable forward(const Variable& x) override;

 private:
  double rate_;
  DropoutDraw draw_;
  bool drawn_ = false;
};

// set_draw() for every Dropout in `root` and below.
void set_dropout_draw(Module& root, std::uint64_t seed, std::uint32_t step);

}  // namespace acol
